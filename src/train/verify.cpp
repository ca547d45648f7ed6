// walsh verify: an export loaded afresh, against what training evaluated.
#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "train/export.h"
#include "train/export_source.h"
#include "train/generate.h"
#include "train/run_folder.h"

namespace walsh {
namespace {

namespace fs = std::filesystem;

struct Probe {
  std::vector<std::uint32_t> ids;
  std::vector<float> logits;
  Json hashes;  // of the weights, by module
};

Probe read_probe(const fs::path& run, const ModelConfig& config) {
  const fs::path path = run / "probe.json";
  require(fs::exists(path),
          "{}: absent; a run that was stopped has none: finish it with walsh train --resume", path.string());
  const Json json = read_json(path);
  const std::string source = path.string();
  Probe probe{json_at<std::vector<std::uint32_t>>(json, "ids", source),
              json_at<std::vector<float>>(json, "logits", source), json_at<Json>(json, "weights", source)};
  require(!probe.ids.empty() && probe.ids.size() < config.context &&
              probe.logits.size() == config.vocabulary_size,
          "{}: {} ids and {} logits do not fit a context of {} and a vocabulary of {}", source,
          probe.ids.size(), probe.logits.size(), config.context, config.vocabulary_size);
  require(std::ranges::all_of(probe.ids, [&](auto id) { return id < config.vocabulary_size; }),
          "{}: an id beyond the vocabulary of {}", source, config.vocabulary_size);
  return probe;
}

std::vector<float> logits_of(vk::Device& device, const OpenedModel& model,
                             const std::vector<std::uint32_t>& ids) {
  const auto tokens = static_cast<std::uint32_t>(ids.size());
  const auto session = model.load(device, tokens);
  return Generator(device, *session, tokens + 1, tokens).logits(ids);
}

/// Everything that is not a linear layer.
double rest_difference(const WeightSource& run, const WeightSource& exported) {
  double largest = 0;
  for (const WeightInfo& weight : list_weights(run.config())) {
    if (weight.kind != WeightKind::linear)
      largest = std::max(largest, max_difference(read_floats(run, weight), read_floats(exported, weight)));
  }
  return largest;
}

}  // namespace

VerifyReport verify_export(vk::Device& device, const fs::path& run, const fs::path& exported) {
  require(fs::exists(exported), "{}: absent; write it with walsh export", exported.string());
  const ExportSource source(run);
  const Probe probe = read_probe(run, source.config());
  const bool adapter = fs::is_directory(exported) && !fs::exists(exported / "config.json");
  // An adapter computes on the run's base, a model on its own.
  const OpenedModel model =
      adapter ? OpenedModel(source.options().model, run.string(), std::nullopt, exported.string())
              : OpenedModel(exported.string(), "", std::nullopt);
  const auto wanted = list_weights(source.config()), found = list_weights(model.config());
  const auto same = [](const WeightInfo& a, const WeightInfo& b) {
    return a.name == b.name && a.shape == b.shape;
  };
  require(std::ranges::equal(wanted, found, same), "{}: not an export of {}: the models have other layers",
          exported.string(), run.string());

  VerifyReport report;
  std::vector<EffectiveLayer> of_adapter;
  if (adapter) {
    const auto session = model.load(device, 256);
    visit_layers(device, *session, 256,
                 [&](EffectiveLayer&& layer) { of_adapter.push_back(std::move(layer)); });
  }
  std::size_t index = 0;
  source.visit(device, [&](EffectiveLayer&& layer) {
    require(json_or<std::string>(probe.hashes, layer.name.c_str(), "", "probe.json") == layer.hash(),
            "{}: {} is not what the run's probe.json says; the run's files changed since it ended",
            run.string(), layer.name);
    const std::vector<float> held = adapter
                                        ? std::move(of_adapter[index].weight)
                                        : base_weight(model.source(), layer.name, layer.rows, layer.columns);
    const std::vector<float> before = base_weight(source.base(), layer.name, layer.rows, layer.columns);
    report.max_weight_difference = std::max(report.max_weight_difference, max_difference(layer.weight, held));
    report.change_from_base = std::max(report.change_from_base, max_difference(before, held));
    ++index;
  });
  if (!adapter)
    report.max_weight_difference =
        std::max(report.max_weight_difference, rest_difference(source.base(), model.source()));
  report.max_logit_difference = max_difference(probe.logits, logits_of(device, model, probe.ids));
  return report;
}

}  // namespace walsh
