// The ceiling that tests/bench/run measures against: a FastCGI process that answers every request with one constant,
// the headers being the product's. It touches no disk, writes no log, and makes nothing per request that could be made
// before.
//
//   ceiling gateway unix:PATH STATUS BODY_FILE   the product's own gateway, threads as by default
//   ceiling plain   unix:PATH STATUS BODY_FILE   libfcgi as its manual has it: threads that accept, read, answer
//
// The difference of the two is what the gateway costs; the product's distance from `gateway` is what the rest costs.
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/service.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/http.h"
#include "base/log.h"
#include "base/process.h"
#include "gateway/fastcgi.h"
#include "gateway/listen.h"

namespace {

// A thread of `plain` keeps its connection as long as nginx does, idle or not: with fewer threads than nginx has
// connections, some clients would wait for ever. So there is one for each of 256 clients, and some to spare.
constexpr int kPlainThreads = 300;

constexpr const char* kRequestId = "00000000000000000000000000000000";  // As long as a fresh one.

int fail(const std::string& why) {
  std::fprintf(stderr, "ceiling: %s\n", why.c_str());
  return 1;
}

leadline::Response make_response(int status, const char* body_file) {
  leadline::Response response = status == 200 ? leadline::Response() : leadline::refusal(status, "");
  std::ifstream in(body_file, std::ios::binary);
  response.body.assign(std::istreambuf_iterator<char>(in), {});
  leadline::Request request;
  request.request_id = kRequestId;
  leadline::complete_response(request, &response);
  return response;
}

bool serve_gateway(int listener, const leadline::Response& response) {
  leadline::block_stop_signals();
  const leadline::Log log(leadline::LogLevel::kError, 2, leadline::system_clock());
  std::string why;
  const auto environment = [](const char* name) { return std::string_view(name) == "DATABASE_URL" ? "none" : nullptr; };
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  leadline::FastcgiOptions options;
  options.listener = listener;
  options.threads = leadline::read_config(environment, cores, &why)->threads;
  options.serve = [&response](leadline::Exchange* exchange) {
    // The product does not read a body that it refuses.
    if (response.status == 200 && exchange->request.method == "POST" &&
        exchange->read_body(leadline::kBodyBytesDefault) != leadline::BodyRead::kWhole) {
      return exchange->send(leadline::refusal(400, "no whole body"));
    }
    exchange->send(response);
  };
  options.on_stop = [] {};
  return leadline::serve_fastcgi(std::move(options), log);
}

void serve_plain(int listener, std::string_view answer) {
  FCGX_Request request;
  FCGX_InitRequest(&request, listener, 0);
  std::array<char, 8192> piece;
  while (FCGX_Accept_r(&request) == 0) {
    while (FCGX_GetStr(piece.data(), static_cast<int>(piece.size()), request.in) > 0) {
    }
    FCGX_PutStr(answer.data(), static_cast<int>(answer.size()), request.out);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc == 5 ? argv[1] : "";
  if (kind != "gateway" && kind != "plain") return fail("ceiling gateway|plain unix:PATH STATUS BODY_FILE");
  std::string why;
  const std::optional<leadline::ListenAddress> address = leadline::parse_listen_address(argv[2], &why);
  if (!address) return fail(why);
  const int listener = leadline::open_listener(*address, &why);
  if (listener < 0) return fail(why);
  const leadline::Response response = make_response(std::stoi(argv[3]), argv[4]);
  if (kind == "gateway") return serve_gateway(listener, response) ? 0 : 1;

  FCGX_Init();
  ::fcntl(listener, F_SETFL, ::fcntl(listener, F_GETFL) & ~O_NONBLOCK);  // Its accept takes "nobody yet" for an error.
  ::signal(SIGTERM, SIG_DFL);  // libfcgi's own handler only stops accepting; there is nothing here to finish.
  const std::string answer = leadline::cgi_head(response) + response.body;
  std::vector<std::thread> threads;
  threads.reserve(kPlainThreads);
  for (int i = 0; i < kPlainThreads; ++i) threads.emplace_back([listener, &answer] { serve_plain(listener, answer); });
  for (std::thread& thread : threads) thread.join();
  return 0;
}
