// The program: finds the command, runs it, and turns what it throws into an exit code.
#include <signal.h>

#include <algorithm>
#include <new>

#include "lookback/base/error.h"
#include "lookback/cli/command.h"
#include "lookback/cli/environment.h"
#include "lookback/cli/output.h"

namespace lookback::cli {
namespace {

bool asks_for_help(const StringList& words) {
  const auto end = std::find(words.begin(), words.end(), "--");
  return std::any_of(words.begin(), end, [](const std::string& w) { return w == "--help" || w == "-h"; });
}

int run(const std::string& program, StringList words, Console& console) {
  if (words.empty()) return console.raw(program_help()), 2;
  if (words[0] == "--help" || words[0] == "-h") return print(program_help()), 0;
  if (words[0] == "--version") words[0] = "version";
  const Command& command = find_command(words[0]);
  words.erase(words.begin());
  if (asks_for_help(words)) return print(command_help(command)), 0;
  warn_of_unknown_variables(console);
  Args args{program, std::move(words), console};
  return command.run(args);
}

int print_error(Console& console, const char* what, int code) {
  console.log(Severity::error, what);
  return code;
}

// The one place where errors become exit codes.
int guarded(const std::string& program, const StringList& words, Console& console) {
  try {
    return run(program, words, console);
  } catch (const BrokenPipe&) {
    return 0;
  } catch (const ConfigError& e) {
    return print_error(console, e.what(), 2);
  } catch (const FormatError& e) {
    return print_error(console, e.what(), 3);
  } catch (const ShapeError& e) {
    return print_error(console, e.what(), 3);
  } catch (const IoError& e) {
    return print_error(console, e.what(), 4);
  } catch (const NumericError& e) {
    return print_error(console, e.what(), 5);
  } catch (const std::bad_alloc&) {
    return print_error(console, "not enough memory; a smaller batch or a smaller model needs less", 6);
  } catch (const std::exception& e) {
    return print_error(console, (std::string("internal error: ") + e.what()).c_str(), 1);
  }
}

}  // namespace
}  // namespace lookback::cli

int main(int count, char** words) {
  // Both then come back from write() as errors with a name.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  lookback::cli::Console console;
  if (count == 0) return 2;
  return lookback::cli::guarded(words[0], {words + 1, words + count}, console);
}
