// walsh verify: proves that an export computes what training evaluated.
#include "cli.h"
#include "train/export.h"

namespace walsh {

void add_verify(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("verify", "proves that an export computes what training evaluated");
  command->footer("example: walsh verify --run run --export model.gguf");
  add_globals(*command, globals);
  static std::string run, exported;
  command->add_option("--run", run, "the run that was exported")->required();
  command->add_option("--export", exported, "what walsh export wrote")->required();
  command->callback([&globals] {
    const auto device = open_device_quietly(globals);
    const VerifyReport report = verify_export(*device, run, exported);
    announce(globals, *device);
    say(globals,
        report.exact()
            ? fmt::format("{}: exact: every weight and every logit of the probe is the run's", exported)
            : fmt::format("{}: weights differ by up to {:.3g}, logits of the probe by up to {:.3g}", exported,
                          report.max_weight_difference, report.max_logit_difference));
    say(globals, fmt::format("the largest change of a weight from the untrained base: {:.3g}",
                             report.change_from_base));
    print_json(globals, {{"exact", report.exact()},
                         {"max_weight_difference", report.max_weight_difference},
                         {"max_logit_difference", report.max_logit_difference},
                         {"change_from_base", report.change_from_base}});
    if (report.change_from_base == 0)
      fail("{}: its weights are those of the untrained base: nothing was trained, or nothing was exported",
           exported);
  });
}

}  // namespace walsh
