// Cursors: what was written is read again, under its own scope alone; any other text is none.
#include "api/cursor.h"

#include "input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  leadline::Position position;
  for (int i = 0; i < 8; ++i)
    position.id = static_cast<std::int64_t>(static_cast<std::uint64_t>(position.id) << 8U | input.byte());
  position.time = input.text();
  const std::string scope(input.text());
  const std::string cursor = leadline::write_cursor(position, scope);
  PROMISE(cursor.find_first_not_of("0123456789abcdef-") == std::string::npos);
  const auto read = leadline::read_cursor(cursor, scope);
  PROMISE(read && read->id == position.id && read->time == position.time);
  PROMISE(!leadline::read_cursor(cursor, scope + "x"));
  PROMISE(!leadline::read_cursor(cursor + "00", scope));
  PROMISE(!leadline::read_cursor(std::string_view(cursor).substr(1), scope));
  // Whatever is read was written so.
  const std::string_view any = input.rest();
  if (const auto found = leadline::read_cursor(any, scope)) PROMISE(leadline::write_cursor(*found, scope) == any);
  return 0;
}
