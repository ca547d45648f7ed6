#include "methods/peqa.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "methods/option_text.h"
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
      if (!index) continue;
      const PeqaScales& s = at(*index);
      peqa_grid(rec, s.quantized, s.scales.value, s.offset ? s.offset->value : Tensor{});
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
      peqa_scale_group(rec, s.scales.gradient, s.offset ? s.offset->gradient : Tensor{}, g, s.quantized,
                       static_cast<std::uint32_t>(first));
    }
  }

  const PeqaMethod& method_;
  std::vector<std::optional<std::size_t>> adapters_;
};

}  // namespace

void set_peqa_option(PeqaOptions& o, std::string_view key, std::string_view value) {
  require(key == "train_offset", "peqa.{}: no such option; known is train_offset", key);
  o.train_offset = option_word("peqa.train_offset", value, {"off", "on"}) == 1;
}

PeqaMethod::PeqaMethod(const MethodSetup& setup)
    : Method(setup), options_(method_options<PeqaOptions, set_peqa_option>(setup)) {
  activations_ = reserve(setup.arena, DType::f32, {setup.tokens, setup.widest});
  tile_ = reserve(setup.arena, DType::f32, {std::max<std::uint64_t>(tile_elements, setup.widest)});
}

std::unique_ptr<Linear> PeqaMethod::make_linear(std::vector<BaseWeight> weights) {
  std::vector<std::optional<std::size_t>> indices;
  for (BaseWeight& w : weights) {
    require(w.is_quantized(), "{}: not quantised, and peqa trains the scales of a quantised model", w.name);
    if (!is_target(setup_.targets, w.name)) {
      indices.emplace_back();
      continue;
    }
    indices.emplace_back(adapters_.size());
    const std::uint32_t groups = w.columns / w.quantized.group_size;
    w.quantized.offset |= options_.train_offset;
    PeqaScales s{.name = w.name,
                 .scales = setup_.parameters.add(w.name + ".scales", {w.rows, groups}),
                 .offset = {},
                 .quantized = w.quantized,
                 .at_one = {},
                 .negative = {}};
    if (options_.train_offset) {
      s.offset = setup_.parameters.add(w.name + ".offset", {w.rows, groups});
    } else if (groups == 1) {
      s.at_one = w.quantized;
      s.at_one.grid = reserve(setup_.arena, DType::u32, {w.rows, 1});
    }
    adapters_.push_back(std::move(s));
  }
  return std::make_unique<PeqaLinear>(std::move(weights), *this, std::move(indices));
}

void PeqaMethod::start_projection(const ProjectionStart& p) {
  const QuantizedMatrix base = options_.train_offset ? with_offsets(*p.base) : *p.base;
  std::vector<float> scales, offsets;
  for (const std::uint32_t word : base.grid) {
    scales.push_back(f16_to_float(static_cast<std::uint16_t>(word)));
    offsets.push_back(f16_to_float(static_cast<std::uint16_t>(word >> 16)));
  }
  setup_.parameters.start(p.name + ".scales", std::move(scales));
  if (options_.train_offset) setup_.parameters.start(p.name + ".offset", std::move(offsets));
}

void PeqaMethod::upload(vk::Device& device) {
  for (PeqaScales& s : adapters_) {
    auto grid = device.download<std::uint32_t>(s.quantized.grid);
    s.negative.clear();
    for (const std::uint32_t word : grid) s.negative.push_back((word & 0x8000u) != 0);
    if (s.at_one.bits == 0) continue;
    for (std::uint32_t& word : grid) word = (s.quantized.offset ? 0 : word & 0xffff0000u) | f16_one;
    device.upload(s.at_one.grid, grid);
  }
}

// A scale may cross zero: the forward follows it, but such a group has turned its codes around.
std::vector<std::string> PeqaMethod::remarks(vk::Device& device) const {
  std::size_t turned = 0, all = 0;
  for (const PeqaScales& s : adapters_) {
    const auto scales = device.download<float>(s.scales.value);
    for (std::size_t k = 0; k < scales.size(); ++k) turned += std::signbit(scales[k]) != s.negative[k];
    all += scales.size();
  }
  if (turned == 0) return {};
  return {fmt::format("warning: {} of {} scales changed their sign; lower --learning-rate if that is many",
                      turned, all)};
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
                              .check_option = check_method_option<PeqaOptions, set_peqa_option>,
                              .make = make_method<PeqaMethod>};

}  // namespace walsh
