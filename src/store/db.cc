#include "store/db.h"

#include "store/db_sqlite.h"

namespace leadline {
namespace {

// "sqlite:leads.db", "sqlite:/var/lib/leads.db" and, as other tools write it, "sqlite:///var/lib/leads.db".
constexpr std::string_view kSqliteScheme = "sqlite:";

std::string_view sqlite_path(std::string_view url) {
  url.remove_prefix(kSqliteScheme.size());
  if (url.starts_with("//")) url.remove_prefix(2);
  return url;
}

}  // namespace

void Connection::execute(std::string_view sql, std::initializer_list<Value> parameters) {
  Rows rows = run(sql, parameters);
  while (rows.next()) {
  }
}

bool is_database_url(std::string_view url, std::string* why) {
  if (!url.starts_with(kSqliteScheme)) {
    *why = "DATABASE_URL must be sqlite:PATH";
    return false;
  }
  const std::string_view path = sqlite_path(url);
  if (path.empty() || path.front() == ':') {
    *why = "DATABASE_URL must name a file after sqlite: (what is in memory survives nothing)";
    return false;
  }
  return true;
}

std::unique_ptr<Connection> connect(std::string_view url, Role role, std::string* warning) {
  return connect_sqlite(std::string(sqlite_path(url)), role, warning);
}

}  // namespace leadline
