// What is written to the database, each as a function inside somebody's transaction, and as a write for the group
// commit that ends in a continuation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "store/db.h"
#include "store/group_commit.h"
#include "store/leads.h"

namespace leadline {

// What a CRM says has happened to a lead.
struct Event {
  std::string crm_lead_id;
  std::string event_type;
  std::string payload;      // The body as received.
  std::string status;       // The payload's status, empty where it has none.
  std::string received_at;  // RFC 3339, UTC, milliseconds.
  std::string key;          // A second event with the same key adds nothing. Empty: none given.
};

// What became of an event. It is held where it matched no lead: it moves to a lead's activity as soon as one has its
// crm_lead_id (the schema's triggers see to that).
struct Appended {
  Outcome outcome = Outcome::kFailed;
  bool matched = false;
  bool duplicate = false;  // Its key was there already; the rest says what the first was answered with.
  std::int64_t lead_id = 0;
  std::string held_crm_lead_id;  // Of one that did not match.
};

// What a form handler knows of a person. Trimmed; an unset text is empty. Email or phone is set.
struct NewLead {
  std::string name, email, phone, project, source, form, page_url, crm_lead_id;
  std::string payload;  // JSON; empty: none given.
  std::string created_at;
};

// A person known already (the same project and the same email, else the same phone) gets a new submission; else a lead
// and its first submission are made.
struct TakenIn {
  Outcome outcome = Outcome::kFailed;
  bool created = false;
  std::int64_t lead_id = 0;
  std::int64_t submission_id = 0;
};

struct LeadChange {
  std::int64_t lead_id = 0;
  std::optional<std::string> crm_lead_id;  // Set and empty: is taken away.
  std::optional<std::string> status;
  std::string updated_at;
};

struct Changed {
  Outcome outcome = Outcome::kFailed;
  std::optional<Lead> lead;  // As it is now; none where there is none with the id.
};

struct Probed {
  Outcome outcome = Outcome::kFailed;
};

// The day's totals of the events that one transaction appends, written once at its end.
class EventTotals {
 public:
  void count(std::string_view received_at) { ++days_[std::string(received_at.substr(0, kDateBytes))]; }
  void write(Connection& connection) const;

 private:
  static constexpr std::size_t kDateBytes = 10;
  std::map<std::string, std::int64_t> days_;
};

// Inside a transaction that the caller has begun.
[[nodiscard]] Appended append_event(Connection& connection, const Event& event, std::int64_t now_ms,
                                    EventTotals* totals);
[[nodiscard]] TakenIn take_in_lead(Connection& connection, const NewLead& lead);
[[nodiscard]] Changed change_lead(Connection& connection, const LeadChange& change);
[[nodiscard]] Probed probe(Connection& connection, const std::string& now);

// A write on its way through the group commit.
class StoreWrite {
 public:
  using Shared = EventTotals;

  virtual ~StoreWrite() = default;
  virtual void apply(Connection& connection, EventTotals* totals) = 0;
  [[nodiscard]] virtual std::size_t bytes() const = 0;
  virtual void finish(Outcome outcome) = 0;
};

template <class Result>
using Continuation = std::function<void(const Result&)>;

template <class Result>
using Perform = std::function<Result(Connection&, EventTotals*)>;

// A write made of one of the functions above: `perform` runs in the transaction, `done` when it is on disk.
template <class Result>
class PerformedWrite final : public StoreWrite {
 public:
  PerformedWrite(Perform<Result> perform, std::size_t bytes, Continuation<Result> done)
      : perform_(std::move(perform)), bytes_(bytes), done_(std::move(done)) {}

  void apply(Connection& connection, EventTotals* totals) override { result_ = perform_(connection, totals); }
  [[nodiscard]] std::size_t bytes() const override { return bytes_; }
  void finish(Outcome outcome) override {
    result_.outcome = outcome;
    done_(result_);
  }

 private:
  const Perform<Result> perform_;
  const std::size_t bytes_;
  const Continuation<Result> done_;
  Result result_;
};

}  // namespace leadline
