// walsh quantize: a model folder at a few bits a weight, in GPTQ format.
#include "base/file.h"
#include "calibrate/quantize_model.h"
#include "cli.h"
#include "io/model_folder.h"
#include "model/model_files.h"
#include "train/calibration_data.h"
#include "train/report.h"
#include "train/run_folder.h"

namespace walsh {
namespace {

/// Text to calibrate on, where it is given or the quantiser wants it.
CalibrationText read_calibration(const RunOptions& o, const QuantizeOptions& quantize,
                                 const ModelConfig& config) {
  if (o.calibration.empty()) {
    require(!quantize.needs_calibration(),
            "--calibration is missing: --quantizer {} needs text (.txt, .jsonl or a folder of them)",
            o.quantizer);
    return {};
  }
  TextEncoder encoder(o.model, config.vocabulary_size);
  return calibration_text(o, config.context, {}, encoder);
}

OrderedJson to_json(const LayerError& layer) {
  OrderedJson json = {{"name", layer.name}, {"error", layer.error}};
  if (layer.output_error >= 0) {
    json["output_error"] = layer.output_error;
    json["dead_inputs"] = layer.dead_inputs;
  }
  if (layer.damping > 0) json["damping"] = layer.damping;
  return json;
}

std::string line_of(const LayerError& layer, double damping) {
  std::string line = fmt::format("{:<44} error {:.4f}", layer.name, layer.error);
  if (layer.output_error >= 0) line += fmt::format("  of the output {:.4f}", layer.output_error);
  if (layer.damping > damping) line += fmt::format("  (damped by {:g} to factor)", layer.damping);
  return line;
}

/// What was found of Gram matrices that are singular, for the end.
std::string singular(const QuantizeResult& result, double damping) {
  std::size_t damped = 0;
  std::uint64_t dead = 0;
  for (const LayerError& layer : result.layers) {
    damped += layer.damping > damping;
    dead += layer.dead_inputs;
  }
  if (damped == 0 && dead == 0) return {};
  return fmt::format(
      "singular Gram matrices: {} of {} layers were damped more than asked, {} inputs were 0 at "
      "every token",
      damped, result.layers.size(), dead);
}

/// The page that stands beside the weights.
void write_report(const std::filesystem::path& folder, const std::string& name, const RunOptions& o,
                  const QuantizeOptions& options, const QuantizeResult& result, const std::string& text) {
  std::vector<std::pair<std::string, std::string>> facts{
      {"model", o.model},
      {"quantizer", o.quantizer},
      {"bits", std::to_string(o.bits)},
      {"group size", std::to_string(o.group_size)},
      {"grids", o.symmetric ? "symmetric" : "asymmetric"},
      {"calibration", text.empty() ? "none" : fmt::format("{} ({})", text, o.calibration)},
      {"base fingerprint", base_fingerprint(*open_model(folder))}};
  if (options.needs_calibration())
    for (const auto& [key, value] : quantize_settings(options)) facts.emplace_back("quantize." + key, value);
  write_file(folder / "report.html", quantize_report(name, result, facts));
}

void quantize(const Globals& globals, RunOptions o, const std::string& out, bool report) {
  if (o.bits == 0) o.bits = 4;
  o = resolve(o);
  const QuantizeOptions options = quantize_options(o.quantizer, o.bits, o.group_size, o.symmetric, o.set);
  require(!std::filesystem::exists(out), "{}: exists already; name a new folder", out);
  const std::filesystem::path folder = o.model;
  const auto model = o.random_weights
                         ? random_model(read_config(folder), {.dense = DType::bf16}, *o.random_weights)
                         : open_model(folder);
  require_quantizable(*model, options, !o.random_weights);
  CalibrationText text = read_calibration(o, options, model->config());
  std::unique_ptr<vk::Device> device;
  if (!text.sequences.empty()) device = open_device_quietly(globals);
  StagedFolder staged(out);
  // Everything that can be refused has been by now; progress begins here.
  if (device) announce(globals, *device);
  if (!text.summary.empty()) say(globals, text.summary);
  const QuantizeResult result = quantize_model(
      *model, config_text(folder), staged.path(), options, {device.get(), std::move(text.sequences)},
      [&](const LayerError& layer) { say(globals, line_of(layer, options.gptq.damping)); });
  if (!o.random_weights) copy_companions(folder, staged.path());
  if (report)
    write_report(staged.path(), std::filesystem::path(out).filename().string(), o, options, result,
                 text.summary);
  staged.publish();
  say(globals, fmt::format("{}: {:.3f} bits a weight", out, result.bits_per_weight));
  if (result.padded)
    say(globals, "some packed rows are not whole 32-bit words: other tools cannot load this folder");
  if (const std::string line = singular(result, options.gptq.damping); !line.empty()) say(globals, line);
  OrderedJson layers = OrderedJson::array();
  for (const LayerError& layer : result.layers) layers.push_back(to_json(layer));
  print_json(globals, {{"bits_per_weight", result.bits_per_weight}, {"layers", layers}});
}

}  // namespace

void add_quantize(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("quantize", "writes a quantised model, GPTQ file format");
  command->footer(
      "example: walsh quantize --model models/walsh-tiny --out /tmp/tiny-2bit --bits 2 --group-size 64 \\\n"
      "           --quantizer gptq --calibration models/walsh-tiny/data/text/train.txt");
  add_globals(*command, globals);
  static GivenOptions given;
  static std::string out;
  static std::vector<std::string> set;
  static bool report = false;
  add_run_options(*command, given,
                  {"model", "random-weights", "bits", "group-size", "quantizer", "symmetric", "calibration",
                   "calibration-sequences", "calibration-length"});
  command->get_option("--bits")->description("2, 3, 4 or 8")->default_str("4");
  command->get_option("--calibration")->description("text for the Gram matrices; gptq and magr-gptq need it");
  command->add_option("--out", out, "folder to write")->required();
  command
      ->add_option("--set", set,
                   "an option of the quantiser, quantize.KEY=VALUE: " + list_settings(quantize_settings({})))
      ->take_all();
  command->add_flag("--report", report, "write report.html into the folder: errors by layer and projection");
  command->callback([&globals] {
    RunOptions options;
    for (const auto& [name, value] : given) set_option(options, name, value);
    set_assignments(options, set);
    options.seed = globals.seed;
    require(!options.model.empty(), "--model is missing: name the model's folder");
    quantize(globals, options, out, report);
  });
}

}  // namespace walsh
