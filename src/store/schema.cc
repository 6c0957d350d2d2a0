#include "store/schema.h"

namespace leadline {

// Made by the Makefile from sql/sqlite/*.sql, in the order of their numbers.
extern const char* const kMigrations[];
extern const int kMigrationCount;

namespace {

void refuse_newer(int version) {
  if (version <= kMigrationCount) return;
  throw StoreError(Fault::kFailed, "the database has schema version " + std::to_string(version) +
                                       ", newer than this program's " + std::to_string(kMigrationCount) +
                                       ": install the newer program");
}

}  // namespace

int migrate(Connection& connection) {
  Transaction upgrade(connection, Access::kWrite);
  const int version = connection.schema_version();
  refuse_newer(version);
  for (int next = version; next < kMigrationCount; ++next) connection.run_script(kMigrations[next]);
  if (version < kMigrationCount) connection.set_schema_version(kMigrationCount);
  upgrade.commit();
  return version;
}

void prepare_schema(Connection& connection) {
  Transaction look(connection, Access::kRead);  // Another process may be migrating at this moment.
  const int version = connection.schema_version();
  const bool empty = version == 0 && !connection.holds_tables();
  look.commit();
  refuse_newer(version);
  if (version == kMigrationCount) return;
  if (empty) {
    migrate(connection);
    return;
  }
  throw StoreError(Fault::kFailed, "the database has schema version " + std::to_string(version) +
                                       ", this program needs " + std::to_string(kMigrationCount) +
                                       ": run leadline migrate");
}

int schema_version_known() { return kMigrationCount; }

}  // namespace leadline
