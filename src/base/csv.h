// CSV (RFC 4180), one record at a time: quoted fields, doubled quotes, line ends within quotes, LF or CRLF. The
// separator is a comma, or a semicolon where the first record has that and no comma (spreadsheets in much of Europe).
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

namespace leadline {

class CsvReader {
 public:
  enum class Result { kRecord, kBad, kEnd };

  // `input` must outlive the reader; `lines_before` of it have been read.
  explicit CsvReader(std::istream* input, std::int64_t lines_before = 0) : input_(input), lines_(lines_before) {}

  // The next record; kBad where it breaks a rule, which `why()` says. Empty lines are passed over.
  [[nodiscard]] Result next(std::vector<std::string>* fields);

  [[nodiscard]] std::int64_t line() const { return first_line_; }  // Where the record began; counted from 1.
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  bool read_line(std::string* line);
  bool take_quoted(std::string* text, std::size_t* at, std::string* field);

  std::istream* const input_;
  std::int64_t lines_;
  std::int64_t first_line_ = 0;
  char separator_ = '\0';  // Not known before the first record.
  std::string why_;
};

}  // namespace leadline
