// The schema's versions. A version is a file in sql/<engine>/, compiled in; a database knows how many it has had.
#pragma once

#include <string>

#include "store/db.h"

namespace leadline {

// Creates or upgrades the schema, in one transaction. Throws StoreError where the database is newer than this program.
// Returns the version that it had before.
int migrate(Connection& connection);

// For whoever opens a database to work on it: an empty one is migrated; an older or a newer one is an error.
void prepare_schema(Connection& connection);

// The newest version.
[[nodiscard]] int schema_version_known();

}  // namespace leadline
