// No fuzz target opens a database: the schema that the product's build generates is not needed.
namespace leadline {
extern const char* const kMigrations[];
extern const int kMigrationCount;
const char* const kMigrations[] = {""};
const int kMigrationCount = 0;
}  // namespace leadline
