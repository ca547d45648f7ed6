#include "methods/peqa.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "ops/matmul.h"
#include "ops/peqa.h"
#include "ops/quant_matmul.h"
#include "ops/transpose.h"

namespace walsh {
namespace {

using vk::Recorder;

constexpr std::uint64_t tile_elements = std::uint64_t{1} << 20;  // 4 MiB, or one row where that is more
constexpr std::uint32_t f16_one = 0x3c00;

Tensor leading(const Tensor& scratch, std::uint64_t rows, std::uint64_t columns) {
  return {scratch.memory.part(0, rows * columns * 4), DType::f32, {rows, columns}};
}

class PeqaLinear final : public Linear {
 public:
  /// `adapters[i]`: index of weight i's scales in the method, or none.
  PeqaLinear(std::vector<BaseWeight> weights, const PeqaMethod& method,
             std::vector<std::optional<std::size_t>> adapters)
      : Linear(std::move(weights)), method_(method), adapters_(std::move(adapters)) {}

  void prepare(Recorder& rec) override {
    for (const auto& index : adapters_) {
      if (index) peqa_grid(rec, at(*index).quantized, at(*index).scales.value);
    }
  }

  void forward(Recorder& rec, std::span<const Tensor> y, const Tensor& x) override {
    forward_base(rec, y, x);
  }

  void backward(Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor& x) override {
    if (dx) backward_base(rec, dx, dy);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (adapters_[i]) scale_gradient(rec, at(*adapters_[i]), dy[i], x);
    }
  }

 private:
  const PeqaScales& at(std::size_t index) const { return method_.adapters()[index]; }

  void scale_gradient(Recorder& rec, const PeqaScales& s, const Tensor& dy, const Tensor& x) const {
    const std::uint64_t T = x.shape[0], n = s.quantized.columns, m = s.quantized.rows;
    if (s.at_one.bits > 0) {
      const Tensor u = leading(method_.activations(), T, m);
      quant_matmul_forward(rec, u, x, s.at_one);
      peqa_scale_channel(rec, s.scales.gradient, dy, u);
      return;
    }
    const Tensor dyt = leading(method_.activations(), m, T);
    transpose(rec, dyt, dy);
    const std::uint64_t rows = method_.tile().shape.elements() / n;
    for (std::uint64_t first = 0; first < m; first += rows) {
      const std::uint64_t count = std::min(rows, m - first);
      const Tensor g = leading(method_.tile(), count, n);
      matmul_backward(rec, g, dyt.rows(first, count), x);
      peqa_scale_group(rec, s.scales.gradient, g, s.quantized, static_cast<std::uint32_t>(first));
    }
  }

  const PeqaMethod& method_;
  std::vector<std::optional<std::size_t>> adapters_;
};

}  // namespace

PeqaMethod::PeqaMethod(const MethodSetup& setup) : Method(setup) {
  activations_ = reserve(setup.arena, DType::f32, {setup.tokens, setup.widest});
  tile_ = reserve(setup.arena, DType::f32, {std::max<std::uint64_t>(tile_elements, setup.widest)});
}

std::unique_ptr<Linear> PeqaMethod::make_linear(std::vector<BaseWeight> weights) {
  std::vector<std::optional<std::size_t>> indices;
  for (const BaseWeight& w : weights) {
    require(w.is_quantized(), "{}: not quantised, and peqa trains the scales of a quantised model", w.name);
    if (!is_target(setup_.targets, w.name)) {
      indices.emplace_back();
      continue;
    }
    indices.emplace_back(adapters_.size());
    const std::uint32_t groups = w.columns / w.quantized.group_size;
    PeqaScales s{.name = w.name,
                 .scales = setup_.parameters.add(w.name + ".scales", {w.rows, groups}),
                 .quantized = w.quantized,
                 .at_one = {}};
    if (groups == 1) {
      s.at_one = w.quantized;
      s.at_one.grid = reserve(setup_.arena, DType::u32, {w.rows, 1});
    }
    adapters_.push_back(std::move(s));
  }
  return std::make_unique<PeqaLinear>(std::move(weights), *this, std::move(indices));
}

void PeqaMethod::start_projection(const ProjectionStart& p) {
  const QuantizedMatrix& base = *p.base;
  std::vector<float> scales;
  for (std::uint32_t i = 0; i < base.rows; ++i) {
    for (std::uint32_t k = 0; k < base.groups(); ++k) scales.push_back(base.scale(i, k));
  }
  setup_.parameters.start(p.name + ".scales", std::move(scales));
}

void PeqaMethod::upload(vk::Device& device) {
  for (const PeqaScales& s : adapters_) {
    if (s.at_one.bits == 0) continue;
    auto grid = device.download<std::uint32_t>(s.quantized.grid);
    for (std::uint32_t& word : grid) word = (s.quantized.offset ? 0 : word & 0xffff0000u) | f16_one;
    device.upload(s.at_one.grid, grid);
  }
}

// The end-to-end phase of EfficientQAT (arXiv 2407.11062), which trains scales alone.
const MethodEntry peqa_method{.name = "peqa",
                              .summary = "the scales of a quantised base",
                              .base = BaseRule::quantized,
                              .defaults = {.rank = 0,
                                           .alpha_per_rank = 0,
                                           .learning_rate = 1e-5,
                                           .weight_decay = 0,
                                           .warmup = 0.03,
                                           .epochs = 3},
                              .check_option = nullptr,
                              .make = [](const MethodSetup& setup) -> std::unique_ptr<Method> {
                                return std::make_unique<PeqaMethod>(setup);
                              }};

}  // namespace walsh
