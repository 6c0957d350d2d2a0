// CSV: any bytes come to an end; and records that are written by the rules are read as they were.
#include "base/csv.h"

#include <sstream>
#include <vector>

#include "input.h"

namespace {

using leadline::CsvReader;

void read_anything(const std::string& text) {
  std::istringstream stream(text);
  CsvReader reader(&stream);
  std::vector<std::string> fields;
  std::int64_t line = 0;
  std::size_t records = 0;
  for (;;) {
    const CsvReader::Result result = reader.next(&fields);
    if (result == CsvReader::Result::kEnd) break;
    PROMISE(reader.line() > line);
    line = reader.line();
    PROMISE(!fields.empty());
    if (result == CsvReader::Result::kBad) PROMISE(!reader.why().empty());
    PROMISE(++records <= text.size() + 1);
  }
}

void read_back(fuzz::Input input) {
  const char separator = input.byte() % 2 == 0 ? ',' : ';';
  const std::string end = input.byte() % 2 == 0 ? "\n" : "\r\n";
  std::vector<std::vector<std::string>> records;
  records.push_back(std::vector<std::string>{"a", "b"});  // Two, so that the separator is known.
  std::string text = std::string("a") + separator + "b" + end;
  while (!input.is_empty() && records.size() < 20) {
    std::vector<std::string>& record = records.emplace_back();
    for (int i = 0, count = 1 + input.byte() % 4; i < count; ++i) {
      std::string field(input.text());
      if (i > 0) text += separator;
      // A lone empty field would be an empty line; quotes are always allowed.
      const bool plain = !field.empty() && field.find_first_of("\"\r\n,;") == std::string::npos;
      if (plain && input.byte() % 2 == 0) {
        text += field;
      } else {
        text += '"';
        for (const char c : field) text += c == '"' ? "\"\"" : std::string(1, c);
        text += '"';
      }
      record.push_back(std::move(field));
    }
    text += end;
  }
  std::istringstream stream(text);
  CsvReader reader(&stream);
  std::vector<std::string> fields;
  for (const std::vector<std::string>& record : records) {
    PROMISE(reader.next(&fields) == CsvReader::Result::kRecord);
    PROMISE(fields == record);
  }
  PROMISE(reader.next(&fields) == CsvReader::Result::kEnd);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_anything(std::string(reinterpret_cast<const char*>(data), size));
  read_back(fuzz::Input(data, size));
  return 0;
}
