#include "calibrate/initialise.h"

#include "base/error.h"
#include "calibrate/gram.h"
#include "methods/adaalloc.h"
#include "methods/method.h"
#include "methods/qwha_support.h"

namespace walsh {
namespace {

// Every projection among the targets of a layer (all layers where `layer` is negative).
template <typename Visit>
void for_each_target(const ModelConfig& config, const std::string& targets, int layer, Visit&& visit) {
  for (const WeightInfo& weight : list_weights(config)) {
    if (weight.kind != WeightKind::linear || (layer >= 0 && weight.layer != layer)) continue;
    const std::string module = weight.name.substr(0, weight.name.rfind('.'));
    if (is_target(targets, module)) visit(weight, module);
  }
}

}  // namespace

void initialise_qwha(vk::Device& device, const WeightSource& original, const WeightSource& base,
                     std::vector<std::vector<std::uint32_t>> sequences, const std::string& targets,
                     std::uint32_t rank, const QwhaOptions& options,
                     const std::function<void(InitialisedLayer&&)>& take) {
  GramCollector collector(device, original, std::move(sequences));
  std::uint64_t draw = 0;
  for (std::uint32_t layer = 0; layer < original.config().layers; ++layer) {
    const LayerGrams grams = collector.next();
    for_each_target(original.config(), targets, static_cast<int>(layer),
                    [&](const WeightInfo& weight, const std::string& module) {
                      const auto rows = static_cast<std::uint32_t>(weight.shape[0]),
                                 columns = static_cast<std::uint32_t>(weight.shape[1]);
                      const QuantizedMatrix quantized = base.quantized(module, rows, columns);
                      std::vector<float> delta = read_floats(original, weight);
                      for (std::uint32_t i = 0; i < rows; ++i) {
                        for (std::uint32_t j = 0; j < columns; ++j)
                          delta[std::size_t{i} * columns + j] -= quantized.weight(i, j);
                      }
                      QwhaOptions own = options;
                      own.seed = options.seed * 1000003 + draw++;
                      QwhaStart start =
                          qwha_init(std::span<const float>(delta), std::span<const double>(grams.of(module)),
                                    rows, columns, qwha_coefficients(options, rank, rows, columns), own);
                      const double before = start.error_before(), after = start.error();
                      take({module, std::move(start.coefficients), before, after});
                    });
  }
}

void initialise_qwha_blind(const WeightSource& base, const std::string& targets, std::uint32_t rank,
                           QwhaOptions options, const std::function<void(InitialisedLayer&&)>& take) {
  options.select = QwhaSelect::random;
  std::uint64_t draw = 0;
  for_each_target(base.config(), targets, -1, [&](const WeightInfo& weight, const std::string& module) {
    QwhaSpectra shape;  // a random support needs no spectra
    shape.rows = static_cast<std::uint32_t>(weight.shape[0]);
    shape.columns = static_cast<std::uint32_t>(weight.shape[1]);
    QwhaOptions own = options;
    own.seed = options.seed * 1000003 + draw++;
    const auto shares = adaalloc(std::vector<double>(shape.rows, 0.0),
                                 qwha_coefficients(options, rank, shape.rows, shape.columns), shape.columns);
    QwhaCoefficients c{.rows = shape.rows, .columns = shape.columns, .row_ptr = {0}, .col = {}, .values = {}};
    for (std::uint32_t row = 0; row < shape.rows; ++row) {
      const auto columns = qwha_support(shape, row, shares[row], own);
      c.col.insert(c.col.end(), columns.begin(), columns.end());
      c.row_ptr.push_back(static_cast<std::uint32_t>(c.col.size()));
    }
    c.values.assign(c.col.size(), 0.0f);
    take({module, std::move(c), 0, 0});
  });
}

}  // namespace walsh
