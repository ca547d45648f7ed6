// walsh report: one self-contained HTML page of a run.
#include "train/report.h"

#include "base/file.h"
#include "cli.h"

namespace walsh {

void add_report(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("report", "one self-contained HTML page of a run");
  command->footer("example: walsh report /tmp/run");
  add_globals(*command, globals);
  static std::string run;
  command->add_option("run", run, "folder of a run")->required();
  command->callback([&globals] {
    const std::filesystem::path folder =
        (std::filesystem::path(run) / "").lexically_normal().parent_path();  // "run/" is "run"
    const std::filesystem::path path = folder / "report.html";
    write_file(path, run_report(folder));
    say(globals, path.string());
    print_json(globals, {{"path", path.string()}});
  });
}

}  // namespace walsh
