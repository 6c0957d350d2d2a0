// argv and environment -> one of the modes; builds the settings, the store, the service and a gateway, and turns what
// goes wrong into an exit code and one line.
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/import.h"
#include "api/refusals.h"
#include "api/service.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/process.h"
#include "gateway/cgi.h"
#include "gateway/fastcgi.h"
#include "gateway/listen.h"
#include "store/schema.h"
#include "store/store.h"

namespace leadline {
namespace {

constexpr const char* kUsage =
    "usage: leadline serve --listen unix:PATH|HOST:PORT   a FastCGI process\n"
    "       leadline migrate                              create or upgrade the database's schema\n"
    "       leadline import FILE|- [--atomic]             take in leads from CSV or JSON Lines\n"
    "       leadline                                      a FastCGI process on descriptor 0, or one CGI request\n"
    "Settings come from the environment: DATABASE_URL (sqlite:PATH), CRM_WEBHOOK_SECRET or CRM_CALLBACK_SECRET,\n"
    "ANALYTICS_API_KEY, LEADLINE_LISTEN, LEADLINE_THREADS, LEADLINE_MAX_BODY_BYTES, LEADLINE_LOG_LEVEL.\n";

const char* environment(const char* name) { return std::getenv(name); }  // NOLINT(concurrency-mt-unsafe): no setenv

int fail(int code, const std::string& why) {
  std::fprintf(stderr, "leadline: %s\n", why.c_str());
  return code;
}

// All settings but the one that only `serve` needs; none where one is bad, said in `*why`.
std::optional<Config> read_settings(std::string* why) {
  std::optional<Config> config = read_config(environment, static_cast<int>(std::thread::hardware_concurrency()), why);
  if (config && !is_database_url(config->database_url, why)) return std::nullopt;
  return config;
}

// The listening socket, made when everything behind it is ready: -1 with `*why` set where that can't be.
using OpenListener = std::function<int(std::string* why)>;

int run_fastcgi(const Config& config, const OpenListener& open_listener, const std::string& socket_path) {
  block_stop_signals();
  const Log log(config.log_level, STDERR_FILENO, system_clock());
  Store store(config.database_url, system_clock(), log);
  RandomIds ids;
  Service service(config, &store, log, {system_clock(), [&ids] { return ids.next(); }});
  std::string why;
  FastcgiOptions options;
  options.listener = open_listener(&why);
  if (options.listener < 0) return fail(EX_CONFIG, why);
  options.socket_path = socket_path;
  options.threads = config.threads;
  options.serve = [&service](Exchange* exchange) { service.serve(exchange); };
  options.on_stop = [&store] { store.hurry(); };
  if (serve_fastcgi(std::move(options), log)) return EX_OK;
  log.message(LogLevel::kError, "ending with requests unanswered");
  std::_Exit(EX_SOFTWARE);  // Some thread is stuck: waiting for it would be for ever.
}

int serve(const Config& config, const std::string& address_text, const std::string& setting) {
  std::string why;
  const std::optional<ListenAddress> address = parse_listen_address(address_text, &why);
  if (!address) return fail(EX_CONFIG, setting + ' ' + why);
  const auto open = [&address, &setting](std::string* reason) {
    const int listener = open_listener(*address, reason);
    if (listener < 0) reason->insert(0, setting + ": ");
    return listener;
  };
  return run_fastcgi(config, open, address->path);
}

// A CGI program that can't start still answers like the service.
void refuse_cgi(Response response) {
  RandomIds ids;
  Request request = read_request(environment);
  ensure_request_id([&ids] { return ids.next(); }, &request);
  complete_response(request, &response);
  answer_cgi(response);
}

int run_cgi(const Config& config) {
  const Log log(config.log_level, STDERR_FILENO, system_clock());
  Store store(config.database_url, system_clock(), log);
  RandomIds ids;
  Service service(config, &store, log, {system_clock(), [&ids] { return ids.next(); }});
  serve_cgi(environment, [&service](Exchange* exchange) { service.serve(exchange); });
  return EX_OK;
}

int run_migrate(const Config& config) {
  const int before = migrate(*connect(config.database_url, Role::kWriter));
  std::printf("schema version %d (was %d)\n", schema_version_known(), before);
  return EX_OK;
}

int run_import(const Config& config, const ImportOptions& options) {
  const std::unique_ptr<Connection> connection = connect(config.database_url, Role::kImporter);
  prepare_schema(*connection);
  connection->set_busy_timeout(kImportBusyTimeoutMs);
  return import_leads(connection.get(), options, system_clock());
}

// What the command line asks for.
struct Command {
  enum class Mode { kNone, kServe, kMigrate, kImport, kDescriptor0, kCgi };
  Mode mode = Mode::kNone;
  std::string listen;  // Of --listen; empty where it is not given.
  ImportOptions import;
};

Command read_command(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  Command command;
  if (words.empty()) {
    if (is_listening_socket(STDIN_FILENO)) {
      command.mode = Command::Mode::kDescriptor0;
    } else if (is_cgi(environment)) {
      command.mode = Command::Mode::kCgi;
    }
  } else if (words[0] == "serve" && words.size() == 1) {
    command.mode = Command::Mode::kServe;
  } else if (words[0] == "serve" && words.size() == 3 && words[1] == "--listen") {
    command.mode = Command::Mode::kServe;
    command.listen = words[2];
  } else if (words[0] == "migrate" && words.size() == 1) {
    command.mode = Command::Mode::kMigrate;
  } else if (words[0] == "import") {
    for (const std::string& word : std::vector(words.begin() + 1, words.end())) {
      if (word == "--atomic") {
        command.import.atomic = true;
      } else if (command.import.file.empty() && (word == "-" || !word.starts_with('-'))) {
        command.import.file = word;
      } else {
        return command;
      }
    }
    if (!command.import.file.empty()) command.mode = Command::Mode::kImport;
  }
  return command;
}

int perform(const Command& command, const Config& config) {
  switch (command.mode) {
    case Command::Mode::kServe:
      if (!command.listen.empty()) return serve(config, command.listen, "--listen");
      if (!config.listen.empty()) return serve(config, config.listen, "LEADLINE_LISTEN");
      return fail(EX_CONFIG, "LEADLINE_LISTEN is not set, and there is no --listen");
    case Command::Mode::kMigrate:
      return run_migrate(config);
    case Command::Mode::kImport:
      return run_import(config, command.import);
    case Command::Mode::kDescriptor0:
      return run_fastcgi(config, [](std::string*) { return STDIN_FILENO; }, {});
    case Command::Mode::kCgi:
      return run_cgi(config);
    case Command::Mode::kNone:
      break;
  }
  std::fputs(kUsage, stderr);
  return EX_USAGE;
}

int run(int argc, char** argv) {
  const Command command = read_command(argc, argv);
  const bool cgi = command.mode == Command::Mode::kCgi;
  if (command.mode == Command::Mode::kNone) return perform(command, Config());
  std::string why;
  const std::optional<Config> config = read_settings(&why);
  if (!config) {
    if (cgi) refuse_cgi(refusal(500, "The service is not configured"));
    return fail(EX_CONFIG, why);
  }
  try {
    return perform(command, *config);
  } catch (const StoreError& error) {
    // Before any request was taken: the place that DATABASE_URL names can't be worked on.
    if (cgi) refuse_cgi(refuse_fault(error.fault()));
    return fail(EX_CONFIG, std::string("DATABASE_URL: ") + error.what());
  }
}

}  // namespace
}  // namespace leadline

int main(int argc, char** argv) { return leadline::run(argc, argv); }
