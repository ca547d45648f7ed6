#include "calibrate/initialise.h"

#include <optional>

#include "calibrate/gram.h"

namespace walsh {
namespace {

QuantizedMatrix quantized(const WeightSource& base, const WeightInfo& weight) {
  return base.quantized(module_of(weight), static_cast<std::uint32_t>(weight.shape[0]),
                        static_cast<std::uint32_t>(weight.shape[1]));
}

}  // namespace

void start_method(vk::Device& device, Method& method, const WeightSource* original, const WeightSource& base,
                  std::vector<std::vector<std::uint32_t>> sequences, QuantizedModelWriter* recoded) {
  const ModelConfig& config = base.config();
  std::optional<GramCollector> collector;
  if (original && method.starts_from() == StartsFrom::gram)
    collector.emplace(device, *original, std::move(sequences));
  const auto weights = list_weights(config);
  std::uint32_t index = 0;
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    LayerGrams grams;
    if (collector) grams = collector->next();
    for (const WeightInfo& weight : weights) {
      if (weight.kind != WeightKind::linear || weight.layer != static_cast<int>(layer)) continue;
      const std::string module = module_of(weight);
      std::optional<QuantizedMatrix> matrix;
      if (base.format().bits > 0) matrix = quantized(base, weight);
      if (is_target(method.setup().targets, module)) {
        ProjectionStart projection{.name = module,
                                   .index = index++,
                                   .rows = static_cast<std::uint32_t>(weight.shape[0]),
                                   .columns = static_cast<std::uint32_t>(weight.shape[1]),
                                   .base = matrix ? &*matrix : nullptr,
                                   .recodable = recoded ? &*matrix : nullptr};
        std::vector<float> values;
        if (original && method.starts_from() != StartsFrom::base) {
          values = read_floats(*original, weight);
          projection.original = values;
        }
        if (collector) projection.gram = grams.of(module);
        method.start(projection);
      }
      if (recoded) recoded->append(module, *matrix);
    }
  }
}

ReadBase base_reader(const WeightSource& base) {
  return [&base](const std::string& module) {
    return quantized(base, find_weight(base.config(), module + ".weight"));
  };
}

}  // namespace walsh
