#include "api/import.h"

#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "api/intake.h"
#include "base/config.h"
#include "base/csv.h"
#include "base/json.h"

namespace leadline {
namespace {

// Rows in one transaction: few enough that a webhook waits for a moment only, many enough that a sync costs little.
constexpr std::size_t kBatchRows = 1'000;
// Batches between two looks at the engine's files: a page that many batches change is copied once.
constexpr int kBatchesBetweenHousekeeping = 20;
// After each batch, so that whoever waits for the lock (a webhook) gets it: a few looks of the store's busy handler.
constexpr auto kPauseForOthers = std::chrono::milliseconds(4);
constexpr int kProgressColumns = 30;

// What a row of the input gave: a lead, or what is wrong with it.
struct Row {
  long long line = 0;
  std::optional<NewLead> lead;
  std::string why;
};

// A source of rows, whatever the format.
class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual bool next(Row* row) = 0;
};

class JsonLinesReader final : public RowReader {
 public:
  JsonLinesReader(std::istream* input, std::int64_t lines_before) : input_(input), line_(lines_before) {}

  bool next(Row* row) override {
    std::string text;
    do {
      if (!std::getline(*input_, text)) return false;
      ++line_;
    } while (text.find_first_not_of(" \t\r") == std::string::npos);
    row->line = line_;
    row->lead = parse_new_lead(text, &row->why);
    return true;
  }

 private:
  std::istream* const input_;
  std::int64_t line_;
};

class CsvRowReader final : public RowReader {
 public:
  CsvRowReader(std::istream* input, std::int64_t lines_before) : csv_(input, lines_before) {}

  // Reads the header. Returns what is wrong with it, if anything.
  std::optional<std::string> read_header() {
    std::vector<std::string> names;
    if (csv_.next(&names) != CsvReader::Result::kRecord) return "the file has no header";
    for (std::string& name : names) {
      name.erase(name.find_last_not_of(" \t") + 1);
      name.erase(0, std::min(name.size(), name.find_first_not_of(" \t")));
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      std::string NewLead::*const text = name == "payload" ? &NewLead::payload : new_lead_field(name);
      if (text == nullptr)
        std::fprintf(stderr, "leadline: the column \"%s\" is not known and is left out\n", name.c_str());
      columns_.push_back(text);
    }
    const auto has = [this](std::string NewLead::*text) {
      return std::find(columns_.begin(), columns_.end(), text) != columns_.end();
    };
    if (has(&NewLead::email) || has(&NewLead::phone)) return std::nullopt;
    return "the header names neither email nor phone";
  }

  bool next(Row* row) override {
    std::vector<std::string> fields;
    const CsvReader::Result result = csv_.next(&fields);
    if (result == CsvReader::Result::kEnd) return false;
    row->line = csv_.line();
    row->lead.reset();
    row->why = result == CsvReader::Result::kBad ? csv_.why() : read_fields(&fields, row);
    return true;
  }

 private:
  // Returns what is wrong, or nothing and the lead in `*row`.
  std::string read_fields(std::vector<std::string>* fields, Row* row) const {
    if (fields->size() != columns_.size()) {
      return "has " + std::to_string(fields->size()) + " fields, the header has " + std::to_string(columns_.size());
    }
    NewLead lead;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] != nullptr) lead.*columns_[i] = std::move((*fields)[i]);
    }
    if (!lead.payload.empty() && scan_json(lead.payload)) return "payload must be JSON";
    if (std::optional<std::string> why = tidy_new_lead(&lead)) return *std::move(why);
    row->lead = std::move(lead);
    return {};
  }

  CsvReader csv_;
  std::vector<std::string NewLead::*> columns_;  // Null: not known.
};

// A line on a terminal that is written over and over; nothing elsewhere.
class Progress {
 public:
  Progress(std::uintmax_t bytes_total, const Clock& clock)
      : bytes_total_(bytes_total), clock_(clock), begun_us_(clock.steady_us()), shown_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (shown_) std::fputc('\n', stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `bytes_done` of the file; -1: all.
  void show(long long rows, std::int64_t bytes_done) const {
    if (!shown_) return;
    const double seconds = static_cast<double>(std::max<std::int64_t>(1, clock_.steady_us() - begun_us_)) / 1e6;
    const double share = bytes_done < 0      ? 1
                         : bytes_total_ == 0 ? 0
                                             : static_cast<double>(bytes_done) / static_cast<double>(bytes_total_);
    const int filled = static_cast<int>(share * kProgressColumns);
    std::string bar(static_cast<std::size_t>(filled), '=');
    bar.resize(kProgressColumns, ' ');
    std::fprintf(stderr, "\r[%s] %3.0f %%  %lld rows  %.0f/s ", bar.c_str(), share * 100, rows,
                 static_cast<double>(rows) / seconds);
  }

 private:
  const std::uintmax_t bytes_total_;
  const Clock& clock_;
  const std::int64_t begun_us_;
  const bool shown_;
};

struct Counts {
  long long created = 0, followed_up = 0, bad = 0;
};

// One batch in one transaction. False where the rows have ended.
bool import_rows(Connection* connection, RowReader* reader, const Clock& clock, Counts* counts) {
  Row row;
  for (std::size_t i = 0; i < kBatchRows; ++i) {
    if (!reader->next(&row)) return false;
    if (!row.lead) {
      ++counts->bad;
      std::fprintf(stderr, "line %lld: %s\n", row.line, row.why.c_str());
      continue;
    }
    row.lead->created_at = rfc3339(clock.wall_ms());
    ++(take_in_lead(*connection, *row.lead).created ? counts->created : counts->followed_up);
  }
  return true;
}

// The format shows in the first byte that is no blank: JSON Lines begin with a brace. A byte order mark is passed over.
std::unique_ptr<RowReader> open_reader(std::istream* input, std::string* why) {
  for (const char mark : {'\xEF', '\xBB', '\xBF'}) {
    if (input->peek() == static_cast<unsigned char>(mark)) input->get();
  }
  std::int64_t lines = 0;
  for (int c = input->peek(); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = input->peek()) {
    if (input->get() == '\n') ++lines;
  }
  if (input->peek() == '{') return std::make_unique<JsonLinesReader>(input, lines);
  auto csv = std::make_unique<CsvRowReader>(input, lines);
  if (std::optional<std::string> wrong = csv->read_header()) {
    *why = *std::move(wrong);
    return nullptr;
  }
  return csv;
}

}  // namespace

int import_leads(Connection* connection, const ImportOptions& options, const Clock& clock) {
  std::ifstream file;
  if (options.file != "-") file.open(options.file, std::ios::binary);
  if (options.file != "-" && !file) {
    std::fprintf(stderr, "leadline: %s can't be read\n", options.file.c_str());
    return EX_NOINPUT;
  }
  std::istream* const input = options.file == "-" ? &std::cin : &file;
  std::string why;
  const std::unique_ptr<RowReader> reader = open_reader(input, &why);
  if (reader == nullptr) {
    std::fprintf(stderr, "leadline: %s\n", why.c_str());
    return EX_DATAERR;
  }
  std::error_code unknown;
  const std::uintmax_t bytes = std::filesystem::file_size(options.file, unknown);
  Counts counts;
  {
    const Progress progress(unknown ? 0 : bytes, clock);
    std::optional<Transaction<Connection>> all;
    if (options.atomic) all.emplace(*connection, Access::kWrite);
    int batches = 0;
    for (bool more = true; more;) {
      std::optional<Transaction<Connection>> batch;
      if (!options.atomic) batch.emplace(*connection, Access::kWrite);
      more = import_rows(connection, reader.get(), clock, &counts);
      if (batch) batch->commit();
      batch.reset();
      if (!options.atomic && more) std::this_thread::sleep_for(kPauseForOthers);
      if (!options.atomic && ++batches % kBatchesBetweenHousekeeping == 0) connection->keep_house();
      progress.show(counts.created + counts.followed_up, more ? static_cast<std::int64_t>(input->tellg()) : -1);
    }
    if (all && counts.bad == 0) all->commit();
  }
  if (options.atomic && counts.bad > 0) {
    std::fprintf(stdout, "imported nothing: %lld bad rows\n", counts.bad);
    return EX_DATAERR;
  }
  std::fprintf(stdout, "imported %lld rows: %lld new leads, %lld follow-ups; %lld bad rows skipped\n",
               counts.created + counts.followed_up, counts.created, counts.followed_up, counts.bad);
  return counts.bad == 0 ? EX_OK : EX_DATAERR;
}

}  // namespace leadline
