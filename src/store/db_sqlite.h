// The embedded engine behind the seam: SQLite in WAL mode with synchronous=FULL. Included by db.cc only.
#pragma once

#include <memory>
#include <string>

#include "store/db.h"

namespace leadline {

// `path` is a file's path, not a URI. The file is made where it is not there.
[[nodiscard]] std::unique_ptr<Connection> connect_sqlite(const std::string& path, Role role, std::string* warning);

}  // namespace leadline
