// lookback export: a model folder without the run that made it, perhaps with smaller weights.
#include <filesystem>

#include "lookback/base/format_number.h"
#include "lookback/cli/command.h"
#include "lookback/cli/flags.h"
#include "lookback/io/atomic_file.h"
#include "lookback/tasks/task.h"

namespace lookback::cli {
namespace fs = std::filesystem;
namespace {

struct ExportFlags {
  StringList models;
  std::string out, quantize = "none";
  bool overwrite = false, quiet = false;

  void declare(Flags& v) {
    v.words("MODEL", models, 1, "a model folder");
    v("out", out, "DIR", "the folder to write");
    v("quantize", quantize, "NAME",
      "none: weights as they are; int8: every matrix as int8 with one scale for each row, about a quarter of the size; "
      "such a model predicts as --precision int8 does")
        .choices({"none", "int8"});
    v("overwrite", overwrite, "", "replace a folder that an earlier export wrote");
    v("quiet", quiet, "", "say nothing but warnings and errors");
  }
};

// Throws ConfigError for a folder that is in use, unless it is to be replaced, and IoError.
void prepare_place(const std::string& out, bool overwrite) {
  std::error_code error;
  const auto type = fs::status(out, error).type();
  check<ConfigError>(type == fs::file_type::not_found || type == fs::file_type::directory, out,
                     ": exists and is not a folder; choose another name");
  check<ConfigError>(type == fs::file_type::not_found || overwrite || fs::is_empty(out, error), out,
                     ": exists and is not empty; replace it with --overwrite, or choose another folder");
  const fs::path parent = fs::absolute(out).parent_path();
  fs::create_directories(parent, error);
  check<IoError>(!error, parent.string(), ": cannot create: ", error.message());
  io::remove_stale_temporaries(parent.string());
}

}  // namespace

int run_export(Args& args) {
  ExportFlags flags;
  Flags parser("export");
  flags.declare(parser);
  parser.parse(args.words);
  if (flags.quiet) args.console.set_quiet();
  while (flags.out.size() > 1 && flags.out.ends_with('/')) flags.out.pop_back();
  check<ConfigError>(!flags.out.empty(), "export: --out DIR is missing: the folder to write");
  const tasks::TaskKind& kind = tasks::task_of_model(flags.models[0]);
  prepare_place(flags.out, flags.overwrite);
  io::AtomicFolder folder(flags.out);
  kind.export_model(flags.models[0], folder.path(), {.weights = flags.quantize == "int8" ? "int8" : "as_trained"});
  folder.commit();
  const auto size = [](const std::string& model) {
    return byte_size(static_cast<int64_t>(fs::file_size(model + "/model.safetensors")));
  };
  args.console.log(Severity::info,
                   str_cat(flags.out, ": ", size(flags.out), " of weights, from ", size(flags.models[0])));
  return 0;
}

std::vector<HelpSection> help_export() {
  ExportFlags flags;
  Flags parser("export");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli
