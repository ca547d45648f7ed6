// walsh export: what a run trained, for other tools.
#include "train/export.h"

#include "cli.h"

namespace walsh {

void add_export(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("export", "writes what other tools load");
  command->footer("example: walsh export --run run --format gguf --out model.gguf");
  add_globals(*command, globals);
  static std::string run, out;
  static ExportOptions options;
  command->add_option("--run", run, "a run of walsh train")->required();
  command
      ->add_option("--format", options.format,
                   "merged: safetensors; gptq: codes and scales; gguf: a file for llama.cpp; adapter: the "
                   "adapter alone")
      ->required();
  command->add_option("--out", out, "what to write: a file for gguf, otherwise a folder")->required();
  command->add_flag("--allow-rounding", options.allow_rounding,
                    "write it where the format cannot hold exactly what training evaluated");
  command->add_option(
      "--gguf-type", options.gguf_type,
      "of the linear layers: F32, F16, BF16, Q8_0, Q4_0 or Q4_1; default: the one that holds them");
  command->callback([&globals] {
    const auto device = open_device_quietly(globals);
    const ExportReport report = export_run(*device, run, out, options);
    announce(globals, *device);
    say(globals,
        fmt::format("{}: {}, {} bytes, {}", out, report.what, report.bytes,
                    report.exact ? "exactly what training evaluated"
                                 : fmt::format("weights rounded by up to {:.3g}", report.max_difference)));
    print_json(globals, {{"path", out},
                         {"bytes", report.bytes},
                         {"exact", report.exact},
                         {"max_weight_difference", report.max_difference}});
  });
}

}  // namespace walsh
