#include "calibrate/initialise.h"

#include <Eigen/Core>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/parallel.h"
#include "calibrate/gram.h"
#include "methods/adaalloc.h"
#include "methods/layer_budget.h"
#include "methods/method.h"
#include "methods/qwha_support.h"

namespace walsh {
namespace {

// ‖WX‖² = tr(W·G·Wᵀ); fp32 products are enough for a report.
double output_energy(const std::vector<float>& weights, const std::vector<double>& gram, std::uint32_t rows,
                     std::uint32_t columns) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const std::vector<float> g32(gram.begin(), gram.end());
  const Eigen::Map<const Matrix> g(g32.data(), columns, columns);
  constexpr std::uint32_t block = 64;
  std::vector<double> sums((rows + block - 1) / block);
  parallel_for(sums.size(), [&](std::size_t i) {
    const auto first = static_cast<std::uint32_t>(i) * block;
    const Eigen::Map<const Matrix> w(weights.data() + std::size_t{first} * columns,
                                     std::min(block, rows - first), columns);
    const Matrix product = w * g;
    sums[i] = w.cast<double>().cwiseProduct(product.cast<double>()).sum();
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

// Every projection among the targets of a layer (all layers where `layer` is negative).
template <typename Visit>
void for_each_target(const ModelConfig& config, const std::string& targets, int layer, Visit&& visit) {
  for (const WeightInfo& weight : list_weights(config)) {
    if (weight.kind != WeightKind::linear || (layer >= 0 && weight.layer != layer)) continue;
    const std::string module = weight.name.substr(0, weight.name.rfind('.'));
    if (is_target(targets, module)) visit(weight, module);
  }
}

/// One pass over the model. `budget(module, rows, columns)`: coefficients of a projection.
template <typename Budget>
void initialise_layers(vk::Device& device, const WeightSource& original, const WeightSource& base,
                       std::vector<std::vector<std::uint32_t>> sequences, const std::string& targets,
                       const QwhaOptions& options, Budget&& budget,
                       const std::function<void(InitialisedLayer&&)>& take) {
  GramCollector collector(device, original, std::move(sequences));
  std::uint64_t draw = 0;
  for (std::uint32_t layer = 0; layer < original.config().layers; ++layer) {
    const LayerGrams grams = collector.next();
    const auto initialise = [&](const WeightInfo& weight, const std::string& module) {
      const auto rows = static_cast<std::uint32_t>(weight.shape[0]),
                 columns = static_cast<std::uint32_t>(weight.shape[1]);
      const QuantizedMatrix quantized = base.quantized(module, rows, columns);
      const std::vector<float> whole = read_floats(original, weight);
      const std::vector<double>& gram = grams.of(module);
      std::vector<float> delta(whole.size());
      parallel_for(rows, [&](std::size_t i) {
        for (std::uint32_t j = 0; j < columns; ++j)
          delta[i * columns + j] =
              whole[i * columns + j] - quantized.weight(static_cast<std::uint32_t>(i), j);
      });
      QwhaOptions own = options;
      own.seed = options.seed * 1000003 + draw++;
      QwhaStart start = qwha_init(std::span<const float>(delta), std::span<const double>(gram), rows, columns,
                                  budget(module, rows, columns), own);
      const double before = start.error_before(), after = start.error();
      take({module, std::move(start.coefficients), before, after, output_energy(whole, gram, rows, columns)});
    };
    for_each_target(original.config(), targets, static_cast<int>(layer), initialise);
  }
}

}  // namespace

void initialise_qwha(vk::Device& device, const WeightSource& original, const WeightSource& base,
                     std::vector<std::vector<std::uint32_t>> sequences, const std::string& targets,
                     std::uint32_t rank, const QwhaOptions& options,
                     const std::function<void(InitialisedLayer&&)>& take) {
  const auto by_size = [&](const std::string&, std::uint32_t rows, std::uint32_t columns) {
    return qwha_coefficients(options, rank, rows, columns);
  };
  if (options.layer_budget == QwhaLayerBudget::uniform) {
    initialise_layers(device, original, base, std::move(sequences), targets, options, by_size, take);
    return;
  }
  // A pass to learn each layer's curve, by its size and the quickest rule, and one with what follows from it.
  std::vector<LayerCurve> curves;
  std::vector<std::string> names;
  QwhaOptions quick = options;
  quick.zero = false;
  quick.select = QwhaSelect::gram_diag;
  initialise_layers(
      device, original, base, sequences, targets, quick, by_size, [&](InitialisedLayer&& layer) {
        const double count = static_cast<double>(layer.coefficients.values.size());
        const double weights = static_cast<double>(layer.coefficients.rows) * layer.coefficients.columns;
        const double output = std::max(layer.output, 1e-300);
        curves.push_back({weights, count, layer.error_before / output, layer.error / output});
        names.push_back(layer.name);
      });
  const std::vector<std::uint32_t> shares = spread_budget(curves);
  std::map<std::string, std::uint32_t> budgets;
  for (std::size_t i = 0; i < names.size(); ++i) budgets[names[i]] = shares[i];
  initialise_layers(
      device, original, base, std::move(sequences), targets, options,
      [&](const std::string& module, std::uint32_t, std::uint32_t) { return budgets.at(module); }, take);
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
