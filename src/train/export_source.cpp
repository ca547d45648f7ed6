#include "train/export_source.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/run_folder.h"

namespace walsh {

namespace {

constexpr std::uint32_t tokens = 256;  // of a pass

RunOptions options_of(const std::filesystem::path& run) {
  require(is_run(run), "{}: not a run of walsh train (no config.yaml and base.json)", run.string());
  RunOptions options;
  read_options(options, run / "config.yaml");
  require(!options.random_weights, "{}: a run on random weights has nothing to export", run.string());
  return options;
}

}  // namespace

ExportSource::ExportSource(const std::filesystem::path& run)
    : run_(run),
      options_(options_of(run)),
      model_(options_.model),
      opened_(std::make_unique<OpenedModel>(options_.model, run.string(), std::nullopt)) {}

void ExportSource::visit(vk::Device& device, const std::function<void(EffectiveLayer&&)>& take) const {
  const auto session = opened_->load(device, tokens);
  visit_layers(device, *session, tokens, take);
}

bool ExportSource::base_is_gguf() const { return is_gguf(base_folder(run_, read_base(run_))); }

bool ExportSource::keeps_codes(vk::Device& device) const {
  bool kept = base().format().bits > 0;
  if (!kept) return false;
  visit(device, [&](EffectiveLayer&& layer) {
    kept = kept && layer.codes && layer.codes->offset == base().format().offset &&
           layer.codes->codes == base().quantized(layer.name, layer.rows, layer.columns).codes;
  });
  return kept;
}

std::vector<float> base_weight(const WeightSource& base, const std::string& module, std::uint32_t rows,
                               std::uint32_t columns) {
  if (base.format().bits == 0) return read_floats(base, find_weight(base.config(), module + ".weight"));
  return base.quantized(module, rows, columns).weights();
}

double max_difference(std::span<const float> a, std::span<const float> b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

}  // namespace walsh
