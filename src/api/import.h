// leadline import: many leads from a CSV or JSON Lines file, each taken in as POST /analytics/leads would.
#pragma once

#include <string>

#include "base/clock.h"
#include "store/db.h"

namespace leadline {

struct ImportOptions {
  std::string file;     // "-": standard input.
  bool atomic = false;  // All or nothing; else bad rows are skipped.
};

// Imports, with a progress bar where standard error is a terminal, bad rows on standard error ("line 7: …") and a
// summary on standard output. Returns an exit code: EX_OK, EX_NOINPUT where the file can't be read, EX_DATAERR where a
// row was bad. Throws StoreError; what was committed before it stays.
[[nodiscard]] int import_leads(Connection* connection, const ImportOptions& options, const Clock& clock);

}  // namespace leadline
