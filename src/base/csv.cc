#include "base/csv.h"

namespace leadline {

// A line without its end.
bool CsvReader::read_line(std::string* line) {
  if (!std::getline(*input_, *line)) return false;
  ++lines_;
  return true;
}

// Takes a field whose opening quote is at `*at`, reading on where it goes over the end of a line.
bool CsvReader::take_quoted(std::string* text, std::size_t* at, std::string* field) {
  ++*at;
  for (;;) {
    const std::size_t quote = text->find('"', *at);
    field->append(*text, *at, quote == std::string::npos ? quote : quote - *at);
    if (quote == std::string::npos) {
      *field += '\n';
      *at = 0;
      if (read_line(text)) continue;
      why_ = "a quoted field has no end";
      return false;
    }
    *at = quote + 1;
    if (*at >= text->size() || (*text)[*at] != '"') return true;
    *field += '"';
    ++*at;
  }
}

CsvReader::Result CsvReader::next(std::vector<std::string>* fields) {
  fields->clear();
  std::string text;
  do {
    if (!read_line(&text)) return Result::kEnd;
  } while (text.empty() || text == "\r");
  first_line_ = lines_;
  if (separator_ == '\0') {
    const bool semicolon = text.find(',') == std::string::npos && text.find(';') != std::string::npos;
    separator_ = semicolon ? ';' : ',';
  }
  for (std::size_t at = 0;;) {
    std::string& field = fields->emplace_back();
    if (at < text.size() && text[at] == '"') {
      if (!take_quoted(&text, &at, &field)) return Result::kBad;
    } else {
      const std::size_t end = text.find(separator_, at);
      field = text.substr(at, end == std::string::npos ? end : end - at);
      at += field.size();
      if (end == std::string::npos && field.ends_with('\r')) field.pop_back();
    }
    if (at >= text.size() || (text[at] == '\r' && at + 1 == text.size())) return Result::kRecord;
    if (text[at] != separator_) {
      why_ = "a quoted field is followed by more text";
      return Result::kBad;
    }
    ++at;
  }
}

}  // namespace leadline
