// The store: the domain's verbs for everyone above. Writes go through the group commit and are answered through a
// continuation; reads are answered at once, on a connection that nobody else uses meanwhile. Knows no HTTP, no engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "store/db.h"
#include "store/group_commit.h"
#include "store/leads.h"
#include "store/page_cache.h"
#include "store/writes.h"

namespace leadline {

class Store {
 public:
  // Opens the database, migrating an empty one. Throws StoreError. `log` must outlive the store.
  Store(const std::string& url, Clock clock, const Log& log);

  // These put something on disk and then call `done`, on the store's answering thread; `done` must not throw. Where too
  // much waits already they return false and never call it. From any thread; they never wait.
  [[nodiscard]] bool append(Event event, Continuation<Appended> done);
  [[nodiscard]] bool take_in(NewLead lead, Continuation<TakenIn> done);
  [[nodiscard]] bool change(LeadChange change, Continuation<Changed> done);
  [[nodiscard]] bool probe(Continuation<Probed> done);

  // Calls `query` inside a read transaction. Throws StoreError. From any thread. A `deadline_us` of the steady clock,
  // where it is not 0, ends it with Fault::kDeadline.
  template <class Query>
  auto read(Query query, std::int64_t deadline_us = 0) {
    const Loan loan(this, deadline_us);
    Transaction moment(loan.connection(), Access::kRead);
    auto result = query(loan.connection());
    moment.commit();
    return result;
  }

  // The text that `render` makes inside a read transaction; or the one that it made before, where nothing in the
  // database has changed since. `name` must say all that the text depends on besides. None is not kept. Else as read().
  template <class Render>
  std::optional<std::string> read_page(const std::string& name, Render render) {
    const Loan loan(this, 0);
    if (const std::string* page = loan.pages().find(name, loan.connection().data_version())) return *page;
    Transaction moment(loan.connection(), Access::kRead);
    const std::int64_t version = loan.connection().data_version();
    std::optional<std::string> page = render(loan.connection());
    moment.commit();
    if (page) loan.pages().keep(name, *page, version);
    return page;
  }

  // The process is about to end: locks are waited for less long.
  void hurry() { writes_.hurry(); }

 private:
  struct Reader {
    std::unique_ptr<Connection> connection;
    PageCache pages;
  };

  // A reader lent for one read.
  class Loan {
   public:
    Loan(Store* store, std::int64_t deadline_us) : store_(store), reader_(store->lend()) {
      connection().set_deadline(deadline_us);
    }
    ~Loan() { store_->take_back(std::move(reader_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    [[nodiscard]] Connection& connection() const { return *reader_->connection; }
    [[nodiscard]] PageCache& pages() const { return reader_->pages; }

   private:
    Store* const store_;
    std::unique_ptr<Reader> reader_;
  };

  [[nodiscard]] std::unique_ptr<Reader> lend();
  void take_back(std::unique_ptr<Reader> reader);

  template <class Result>
  [[nodiscard]] bool submit(Perform<Result> perform, std::size_t bytes, Continuation<Result> done) {
    return writes_.submit(std::make_unique<PerformedWrite<Result>>(std::move(perform), bytes, std::move(done))) ==
           nullptr;
  }

  const std::string url_;
  const Clock clock_;
  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Reader>> idle_readers_;  // As many as ever read at the same time.
  GroupCommit<Connection, StoreWrite> writes_;
};

}  // namespace leadline
