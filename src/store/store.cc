#include "store/store.h"

#include <utility>

#include "base/config.h"
#include "store/schema.h"

namespace leadline {
namespace {

std::unique_ptr<Connection> open_writer(const std::string& url, const Log& log) {
  std::string warning;
  std::unique_ptr<Connection> connection = connect(url, Role::kWriter, &warning);
  if (!warning.empty()) log.message(LogLevel::kWarn, warning);
  prepare_schema(*connection);
  connection->set_busy_timeout(kBusyTimeoutMs);
  return connection;
}

}  // namespace

Store::Store(const std::string& url, Clock clock, const Log& log)
    : url_(url),
      clock_(std::move(clock)),
      writes_(open_writer(url, log), clock_,
              {[&log](const std::string& reason) { log.message(LogLevel::kError, reason); }, [&log] { log.flush(); }}) {
}

bool Store::append(Event event, Continuation<Appended> done) {
  const std::size_t bytes = event.payload.size() + event.crm_lead_id.size();
  return submit<Appended>(
      [this, event = std::move(event)](Connection& connection, EventTotals* totals) {
        return append_event(connection, event, clock_.wall_ms(), totals);
      },
      bytes, std::move(done));
}

bool Store::take_in(NewLead lead, Continuation<TakenIn> done) {
  const std::size_t bytes = lead.payload.size() + lead.name.size();
  return submit<TakenIn>(
      [lead = std::move(lead)](Connection& connection, EventTotals*) { return take_in_lead(connection, lead); }, bytes,
      std::move(done));
}

bool Store::change(LeadChange change, Continuation<Changed> done) {
  const std::size_t bytes = sizeof change;
  return submit<Changed>(
      [change = std::move(change)](Connection& connection, EventTotals*) { return change_lead(connection, change); },
      bytes, std::move(done));
}

bool Store::probe(Continuation<Probed> done) {
  return submit<Probed>(
      [this](Connection& connection, EventTotals*) { return leadline::probe(connection, rfc3339(clock_.wall_ms())); },
      sizeof(Probed), std::move(done));
}

std::unique_ptr<Store::Reader> Store::lend() {
  {
    const std::lock_guard lock(readers_mutex_);
    if (!idle_readers_.empty()) {
      std::unique_ptr<Reader> reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
  }
  auto reader = std::make_unique<Reader>();
  reader->connection = connect(url_, Role::kReader);
  reader->connection->set_busy_timeout(kReadBusyTimeoutMs);
  return reader;
}

void Store::take_back(std::unique_ptr<Reader> reader) {
  const std::lock_guard lock(readers_mutex_);
  idle_readers_.push_back(std::move(reader));
}

}  // namespace leadline
