// The look-ahead on a FastCGI connection: whatever has arrived, a judgement that more bytes do not take back; and a
// request that a web server would send is whole at its last byte and not before.
#include "gateway/arrival.h"

#include <string>

#include "base/config.h"
#include "input.h"

namespace {

using leadline::Arrival;
using leadline::judge_arrival;

void append_record(unsigned type, std::string_view content, unsigned padding, std::string* out) {
  const char head[] = {1,
                       static_cast<char>(type),
                       0,
                       1,
                       static_cast<char>(content.size() >> 8U),
                       static_cast<char>(content.size()),
                       static_cast<char>(padding),
                       0};
  out->append(head, sizeof head).append(content).append(padding, '\0');
}

void check_prefixes(std::string_view bytes) {
  Arrival before = Arrival::kNothing;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const Arrival now = judge_arrival(bytes.substr(0, size), false);
    PROMISE(now != Arrival::kClosed);
    PROMISE((now == Arrival::kNothing) == (size == 0));
    if (before == Arrival::kWhole) PROMISE(now == Arrival::kWhole);
    if (before == Arrival::kBroken) PROMISE(now == Arrival::kBroken);
    if (before == Arrival::kHead) PROMISE(now != Arrival::kPartly);
    const Arrival full = judge_arrival(bytes.substr(0, size), true);
    PROMISE(full == now || (now == Arrival::kPartly && full == Arrival::kBroken));
    before = now;
  }
}

void check_good(fuzz::Input input) {
  std::string stream;
  const char begin[8] = {0, 1, static_cast<char>(input.byte() & 1U), 0, 0, 0, 0, 0};
  append_record(1, {begin, sizeof begin}, 0, &stream);
  for (int i = 0, count = input.byte() % 4; i < count; ++i) {
    const std::string_view text = input.text();
    if (!text.empty()) append_record(4, text, input.byte(), &stream);
  }
  append_record(4, {}, 0, &stream);
  for (int i = 0, count = input.byte() % 4; i < count; ++i) {
    const std::string_view text = input.text();
    if (!text.empty()) append_record(5, text, input.byte(), &stream);
  }
  append_record(5, {}, 0, &stream);
  for (std::size_t size = 1; size < stream.size(); ++size) {
    PROMISE(judge_arrival(std::string_view(stream).substr(0, size), false) == Arrival::kPartly);
  }
  PROMISE(judge_arrival(stream, false) == Arrival::kWhole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_prefixes({reinterpret_cast<const char*>(data), size < 2'000 ? size : 2'000});
  static_cast<void>(judge_arrival({reinterpret_cast<const char*>(data), size}, false));
  check_good(fuzz::Input(data, size));
  return 0;
}
