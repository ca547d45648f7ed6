// Where QWHA's coefficients come from: fitted to the quantisation error, drawn at random where the original
// weights are not known, or read from an adapter's files; and how they are saved.
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/parallel.h"
#include "io/adapter.h"
#include "methods/adaalloc.h"
#include "methods/quantization_error.h"
#include "methods/qwha.h"
#include "methods/qwha_recode.h"
#include "methods/qwha_support.h"

namespace walsh {
namespace {

// A random support, its values zero.
QwhaCoefficients blind_start(std::uint32_t rows, std::uint32_t columns, std::uint64_t budget,
                             QwhaOptions options) {
  options.select = QwhaSelect::random;
  QwhaSpectra shape;  // a random support needs no spectra
  shape.rows = rows;
  shape.columns = columns;
  const auto shares = adaalloc(std::vector<double>(rows, 0.0), budget, columns);
  QwhaCoefficients c{.rows = rows, .columns = columns, .row_ptr = {0}, .col = {}, .values = {}};
  for (std::uint32_t first = 0; first < rows; first += options.block_rows) {
    const std::uint32_t count = std::min(options.block_rows, rows - first);
    const auto block = std::span(shares).subspan(first, count);
    const auto order = qwha_support(shape, first, count, *std::ranges::max_element(block), options);
    for (const std::uint32_t share : block) {
      const auto begin = static_cast<std::ptrdiff_t>(c.col.size());
      c.col.insert(c.col.end(), order.begin(), order.begin() + share);
      std::sort(c.col.begin() + begin, c.col.end());
      c.row_ptr.push_back(static_cast<std::uint32_t>(c.col.size()));
    }
  }
  c.values.assign(c.col.size(), 0.0f);
  return c;
}

// ‖WX‖² = tr(W·G·Wᵀ); fp32 products are enough for a report.
double output_energy(const ProjectionStart& p) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const std::vector<float> g32(p.gram.begin(), p.gram.end());
  const Eigen::Map<const Matrix> g(g32.data(), p.columns, p.columns);
  constexpr std::uint32_t block = 64;
  std::vector<double> sums((p.rows + block - 1) / block);
  parallel_for(sums.size(), [&](std::size_t i) {
    const auto first = static_cast<std::uint32_t>(i) * block;
    const Eigen::Map<const Matrix> w(p.original.data() + std::size_t{first} * p.columns,
                                     std::min(block, p.rows - first), p.columns);
    const Matrix product = w * g;
    sums[i] = w.cast<double>().cwiseProduct(product.cast<double>()).sum();
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

void QwhaMethod::start_projection(const ProjectionStart& p) {
  QwhaOptions options = options_;
  options.seed = options_.seed * 1000003 + p.index;
  const std::uint32_t budget = qwha_coefficients(options_, setup_.rank, p.rows, p.columns);
  coefficients_ += budget;
  if (p.gram.empty()) {
    take(p.name, blind_start(p.rows, p.columns, budget, options));
    return;
  }
  const auto spectra_now = [&] {
    return qwha_spectra(std::span<const float>(quantization_error(p)), p.gram, p.rows, p.columns,
                        options.damping, options.hadamard);
  };
  QwhaSpectra spectra = spectra_now();
  const auto fitted = [&] { return qwha_fit(spectra, qwha_shares(spectra, budget, options), options); };
  QwhaStart fit = fitted();
  const double before = fit.error_before();
  if (p.recodable && recodes()) {
    qwha_recode(*p.recodable, spectra, p.gram, fit.coefficients, options, options.recode);
    spectra = {};  // two of a wide layer would not fit
    spectra = spectra_now();
    fit = fitted();
    ++recoded_;
  }
  const double after = fit.error();
  if (before > 0) log_error_left_ += 0.5 * std::log(std::max(after / before, 1e-300));
  ++fitted_;
  if (const double output = output_energy(p); output > 0)
    errors_.push_back({p.name, budget, std::sqrt(before / output), std::sqrt(after / output)});
  take(p.name, std::move(fit.coefficients));
}

std::string QwhaMethod::describe_start() const {
  if (fitted_ == 0)
    return fmt::format(
        "adapter: {} coefficients; the original weights are not known: random supports, values zero",
        coefficients_);
  return fmt::format("adapter: {} coefficients, output error left: {:.3f} (geometric mean of {} layers){}",
                     coefficients_, std::exp(log_error_left_ / static_cast<double>(fitted_)), fitted_,
                     recoded_ > 0 ? "; the base's codes chosen with it" : "");
}

void QwhaMethod::take(const std::string& name, QwhaCoefficients coefficients) {
  setup_.parameters.start(name, std::move(coefficients.values));
  starts_[name] = std::move(coefficients);
}

void QwhaMethod::save(const std::filesystem::path& folder, vk::Device& device) const {
  Adapter adapter{.rank = setup_.rank,
                  .scale = options_.scale,
                  .hadamard = options_.hadamard,
                  .bits = setup_.bits,
                  .group_size = setup_.group_size > 0 ? static_cast<std::uint32_t>(setup_.group_size) : 0,
                  .layers = {}};
  for (const QwhaAdapter& a : adapters_) {
    const HadamardLayout layout =
        options_.hadamard ? transform(a.support.columns).layout() : HadamardLayout{};
    AdapterLayer layer{.name = a.name,
                       .rows = a.support.rows,
                       .columns = a.support.columns,
                       .bases = layout.bases,
                       .m2 = layout.m2,
                       .base = bases_.at(a.name),
                       .row_ptr = device.download<std::uint32_t>(a.support.row_ptr),
                       .col = device.download<std::uint16_t>(a.support.columns_of),
                       .values = device.download<float>(a.values.value)};
    layer.col.resize(a.support.nonzeros);  // the device pads to whole words
    adapter.layers.push_back(std::move(layer));
  }
  write_adapter(folder, adapter);
}

void QwhaMethod::read(const std::filesystem::path& folder, const ReadBase& base) {
  Adapter adapter = read_adapter(folder);
  require(adapter.hadamard == options_.hadamard, "{}: \"transform\" is not the run's qwha.transform",
          folder.string());
  require(adapter.layers.size() == adapters_.size(), "{}: {} layers, the run has {}", folder.string(),
          adapter.layers.size(), adapters_.size());
  for (AdapterLayer& layer : adapter.layers) {
    require_base(layer, base(layer.name), folder.string());
    bases_[layer.name] = layer.base;
    take(layer.name, {layer.rows, layer.columns, std::move(layer.row_ptr), std::move(layer.col),
                      std::move(layer.values)});
  }
}

// Rank, weight decay and warm-up of the paper's GSM8K runs (arXiv 2509.17428, appendix); one rate for all
// widths, since the adapter's own scale α = 4000/√(inputs · outputs) carries the width.
const MethodEntry qwha_method{.name = "qwha",
                              .summary = "sparse adapter in the Walsh-Hadamard domain, on a quantised base",
                              .base = BaseRule::quantized,
                              .defaults = {.rank = 64,
                                           .alpha_per_rank = 0,
                                           .learning_rate = 5e-5,
                                           .weight_decay = 0.1,
                                           .warmup = 0.03,
                                           .epochs = 3},
                              .check_option = check_method_option<QwhaOptions, set_qwha_option>,
                              .make = make_method<QwhaMethod>,
                              .settings = [] { return qwha_settings({}); },
                              .offloads = true};

}  // namespace walsh
