// walsh quantize: a model folder at a few bits a weight, in GPTQ format.
#include "calibrate/quantize_model.h"

#include "base/file.h"
#include "cli.h"
#include "train/run_folder.h"

namespace walsh {

void add_quantize(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("quantize", "writes a quantised model, GPTQ file format");
  command->footer(
      "example: walsh quantize --model models/walsh-tiny --out /tmp/tiny-2bit --bits 2 --group-size 64");
  add_globals(*command, globals);
  static std::string model, out;
  static QuantizeOptions options;
  command->add_option("--model", model, "Hugging Face folder")->required();
  command->add_option("--out", out, "folder to write")->required();
  command->add_option("--bits", options.bits, "2, 3, 4 or 8")->capture_default_str();
  command->add_option("--group-size", options.group_size, "divides every input width; -1: per channel")
      ->capture_default_str();
  command->add_option("--quantizer", options.quantizer, "rtn")->capture_default_str();
  command->add_flag("--symmetric", options.symmetric, "symmetric grids: the zero is fixed in the middle");
  command->callback([&globals] {
    require(options.quantizer == "rtn", "quantizer: found \"{}\", expected rtn", options.quantizer);
    require(!std::filesystem::exists(out), "{}: exists already; name a new folder", out);
    StagedFolder staged(out);
    const QuantizeResult result = quantize_model(model, staged.path(), options, [&](const LayerError& layer) {
      say(globals, fmt::format("{:<44} error {:.4f}", layer.name, layer.error));
    });
    staged.publish();
    say(globals, fmt::format("{}: {:.3f} bits a weight", out, result.bits_per_weight));
    if (result.padded)
      say(globals, "some packed rows are not whole 32-bit words: other tools cannot load this folder");
    OrderedJson layers = OrderedJson::array();
    for (const LayerError& layer : result.layers)
      layers.push_back({{"name", layer.name}, {"error", layer.error}});
    print_json(globals, {{"bits_per_weight", result.bits_per_weight}, {"layers", layers}});
  });
}

}  // namespace walsh
