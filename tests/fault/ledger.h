// What a life of the store was asked for and what it answered, and the comparison of that with a database file.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "store/store.h"

namespace fault {

// A promise that was broken, as a sentence.
class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct SentEvent {
  std::string marker, crm_lead_id, key, payload;
  bool answered = false;
  leadline::Appended answer;
};

struct SentLead {
  std::string email, crm_lead_id;
  bool answered = false;
  leadline::TakenIn answer;
};

struct Ledger {
  std::vector<SentEvent> events;
  std::vector<SentLead> leads;
  std::vector<std::string> statuses_set;  // Of lead changes that were committed, in order.

  [[nodiscard]] std::size_t committed() const;
  [[nodiscard]] std::size_t refused() const;
};

// Opens the file with SQLite's own VFS and compares. Throws Broken. `is_stored_after_refusal` counts events that were
// answered 500 and are there: allowed (whole or not at all), and worth knowing.
void check_file(const std::string& path, const Ledger& ledger, std::size_t* stored_though_refused);

// The work of one life. Every answer is waited for. `tag` makes its events' markers its own.
class Life {
 public:
  // Opens the store: may throw StoreError.
  Life(const std::string& path, const std::string& tag, Ledger* ledger, const leadline::Log& log);

  void send_some();     // Leads, events matched, held, adopted, repeated, single and many at once, reads between them.
  void send_few();      // Events alone.
  void must_go_well();  // The fault is gone: everything has to be answered as on a good day.

  // Events in one go, so that they share transactions. Each as "crm_lead_id" and a payload padded to so many bytes.
  struct Draft {
    std::string crm_lead_id;
    std::size_t bytes = 0;
    std::string key;
  };
  void send(const std::vector<Draft>& drafts);
  void take_in(const std::string& email, const std::string& crm_lead_id);
  void change(std::int64_t lead_id, const std::string& status);
  // A lead's page, if it can be read, holds exactly what was committed for it.
  bool look(std::int64_t lead_id);
  [[nodiscard]] int unseen() const { return unseen_; }  // How many looks ended in an error.

 private:
  [[nodiscard]] std::int64_t lead_of(const std::string& crm_lead_id) const;

  const std::string tag_;
  Ledger* const ledger_;
  int count_ = 0;
  int unseen_ = 0;
  leadline::Clock clock_;
  leadline::Store store_;
};

}  // namespace fault
