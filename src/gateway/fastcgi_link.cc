#include "gateway/fastcgi_link.h"

#include <fastcgi.h>
#include <fcgiapp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "base/check.h"
#include "base/config.h"

namespace leadline {
namespace {

constexpr std::size_t kContentBytesMax = FCGI_MAX_LENGTH & ~7U;  // Whole 8 bytes, as the specification advises.

void append_header(int type, int request_id, std::size_t content_bytes, std::string* records) {
  const auto id = static_cast<unsigned>(request_id);
  const auto length = static_cast<unsigned>(content_bytes);
  for (const unsigned byte : {unsigned{FCGI_VERSION_1}, static_cast<unsigned>(type), id >> 8U, id & 0xFFU, length >> 8U,
                              length & 0xFFU, 0U, 0U}) {
    *records += static_cast<char>(byte);
  }
}

// An answer's output, which an empty record ends, and the end of the request (the FastCGI specification 1.0, sections
// 3.3, 5.3 and 5.5). The head shares the first record with the body's beginning.
std::string answer_records(int request_id, std::string_view head, std::string_view body) {
  CHECK(head.size() <= kContentBytesMax);
  std::string records;
  records.reserve(head.size() + body.size() + ((head.size() + body.size()) / kContentBytesMax + 4) * FCGI_HEADER_LEN);
  do {
    const std::string_view piece = body.substr(0, kContentBytesMax - head.size());
    append_header(FCGI_STDOUT, request_id, head.size() + piece.size(), &records);
    records += head;
    records += piece;
    head = {};
    body.remove_prefix(piece.size());
  } while (!body.empty());
  append_header(FCGI_STDOUT, request_id, 0, &records);
  append_header(FCGI_END_REQUEST, request_id, sizeof(FCGI_EndRequestBody), &records);
  return records.append(sizeof(FCGI_EndRequestBody), '\0');  // Application status 0, FCGI_REQUEST_COMPLETE.
}

}  // namespace

void FastcgiLink::initialize() { CHECK(FCGX_Init() == 0); }

FastcgiLink::FastcgiLink(std::uint64_t id, int descriptor, const OnAnswered& on_answered)
    : id_(id), descriptor_(descriptor), on_answered_(on_answered), fcgx_(std::make_unique<FCGX_Request>()) {
  FCGX_InitRequest(fcgx_.get(), -1, 0);  // No listening socket: accepting is the server's.
}

FastcgiLink::~FastcgiLink() = default;

bool FastcgiLink::begin(Arrival arrival) {
  arrival_ = arrival;
  body_taken_ = false;
  fcgx_->ipcFd = descriptor_;
  fcgx_->keepConnection = 1;  // FCGX_Accept_r first finishes a request before, which would close the connection.
  fcgx_->detached = 1;        // Else libfcgi would wait up to 2 s for the peer at each close.
  if (FCGX_Accept_r(fcgx_.get()) != 0) {
    if (fcgx_->ipcFd >= 0) ::close(fcgx_->ipcFd);
    return false;
  }
  keep_ = fcgx_->keepConnection != 0;
  request = read_request([this](const char* name) { return FCGX_GetParam(name, fcgx_->envp); });
  return true;
}

BodyRead FastcgiLink::read_body(std::uint64_t bytes_max) {
  if (request.content_length.value_or(0) > bytes_max) return BodyRead::kTooLong;
  const auto wanted = static_cast<std::size_t>(request.content_length.value_or(bytes_max));
  if (request.content_length) request.body.reserve(wanted);
  std::array<char, 8192> piece;  // libfcgi's own buffer is no larger.
  const auto overdue = std::chrono::steady_clock::now() + std::chrono::seconds(kArrivalSeconds);
  while (request.body.size() < wanted && std::chrono::steady_clock::now() < overdue) {
    const std::size_t most = std::min(piece.size(), wanted - request.body.size());
    const int count = FCGX_GetStr(piece.data(), static_cast<int>(most), fcgx_->in);
    if (count <= 0) break;
    request.body.append(piece.data(), static_cast<std::size_t>(count));
  }
  // Reading past the body takes in its end mark too, after which the connection can be kept.
  const bool longer = FCGX_GetStr(piece.data(), 1, fcgx_->in) > 0;
  body_taken_ = !longer && FCGX_GetError(fcgx_->in) == 0;
  if (body_taken_) FCGX_Free(fcgx_.get(), 0);  // By the thread that allocated it, before the long wait for the disk.
  if (!request.content_length && longer) return BodyRead::kTooLong;
  return request.content_length && request.body.size() < wanted ? BodyRead::kCutShort : BodyRead::kWhole;
}

// Takes a body that has arrived whole off the connection and forgets it. False where it was not as it should be.
bool FastcgiLink::discard_body() {
  std::array<char, 8192> piece;
  while (FCGX_GetStr(piece.data(), static_cast<int>(piece.size()), fcgx_->in) > 0) {
  }
  return FCGX_GetError(fcgx_->in) == 0;
}

// A body that nobody read must be off the connection before the next request. What has arrived is discarded first, so
// that a kept connection goes on at a request's beginning. What is still coming is not waited for here.
void FastcgiLink::send(const Response& response) {
  if (!body_taken_ && arrival_ == Arrival::kWhole) body_taken_ = discard_body();
  FCGX_Free(fcgx_.get(), 0);
  request = Request();
  has_served_ = true;
  sent_bytes_ = 0;
  answer_ = answer_records(fcgx_->requestId, cgi_head(response), response.body);
  on_answered_(this, flush());
}

FastcgiLink::After FastcgiLink::flush() {
  while (sent_bytes_ < answer_.size()) {
    const ssize_t count =
        ::send(descriptor_, answer_.data() + sent_bytes_, answer_.size() - sent_bytes_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN ? After::kUnsent : After::kDone;  // Done: the peer is gone.
    sent_bytes_ += static_cast<std::size_t>(count);
  }
  answer_ = std::string();  // An idle connection holds no memory.
  if (!body_taken_) return After::kUnread;
  return keep_ ? After::kKept : After::kDone;
}

}  // namespace leadline
