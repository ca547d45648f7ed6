#include "methods/l4q.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "methods/option_text.h"
#include "quantize/rtn.h"

namespace walsh {
namespace {

/// s and b of one projection; b is not there where it is not trained.
struct Grid {
  Parameter scale;
  std::optional<Parameter> offset;
};

class L4qLinear final : public LowRankLinear {
 public:
  L4qLinear(std::vector<BaseWeight> weights, std::vector<std::optional<LowRankFactors>> factors,
            const TileScratch& scratch, std::vector<Grid> grids, const FakeQuantOptions& quantiser)
      : LowRankLinear(std::move(weights), std::move(factors), scratch),
        grids_(std::move(grids)),
        quantiser_(quantiser) {}

 private:
  void make(vk::Recorder& rec, std::size_t i, std::uint64_t first, const Tensor& w,
            const Tensor& product) const override {
    const Tensor part = offset(i);
    fake_quant_forward(rec, w, rows(weights_[i].dense, first, w), product,
                       rows(grids_[i].scale.value, first, w), part ? rows(part, first, w) : part, quantiser_);
  }

  void differentiate(vk::Recorder& rec, std::size_t i, std::uint64_t first, const Tensor& g,
                     const Tensor& product) const override {
    const Grid& grid = grids_[i];
    const Tensor part = offset(i);
    fake_quant_backward(rec, g, rows(grid.scale.gradient, first, g),
                        part ? rows(grid.offset->gradient, first, g) : part,
                        rows(weights_[i].dense, first, g), product, rows(grid.scale.value, first, g),
                        part ? rows(part, first, g) : part, quantiser_);
  }

  Tensor offset(std::size_t i) const { return grids_[i].offset ? grids_[i].offset->value : Tensor{}; }
  static Tensor rows(const Tensor& of, std::uint64_t first, const Tensor& tile) {
    return of.rows(first, tile.shape[0]);
  }

  std::vector<Grid> grids_;  // by projection; empty where it is no target
  FakeQuantOptions quantiser_;
};

}  // namespace

void set_l4q_option(L4qOptions& o, std::string_view key, std::string_view value) {
  if (key == "init") {
    o.init = static_cast<AffineStart>(option_word("l4q.init", value, {"l4q", "lsq+", "symm", "asymm"}));
  } else if (key == "train_offset") {
    o.train_offset = option_word("l4q.train_offset", value, {"off", "on"}) == 1;
  } else if (key == "grad_scale") {
    o.lsq_gradient = option_word("l4q.grad_scale", value, {"none", "lsq"}) == 1;
  } else if (key == "mask_tol") {
    o.mask_tol = static_cast<float>(option_number("l4q.mask_tol", value, 0, 0.5));
  } else if (key == "tile_rows") {
    o.tile_rows = option_tile_rows("l4q.tile_rows", value);
  } else {
    refuse("l4q.{}: no such option; known are init, train_offset, grad_scale, mask_tol, tile_rows", key);
  }
}

L4qMethod::L4qMethod(const MethodSetup& setup)
    : L4qMethod(setup, method_options<L4qOptions, set_l4q_option>(setup)) {}

L4qMethod::L4qMethod(const MethodSetup& setup, const L4qOptions& options)
    : LowRankMethod(setup, options.tile_rows), options_(options) {}

FakeQuantOptions L4qMethod::quantiser(std::uint32_t columns) const {
  const std::uint32_t group = group_size(columns);
  const float highest = static_cast<float>(highest_code(setup_.bits));
  return {.bits = setup_.bits,
          .group_size = group,
          .alpha = static_cast<float>(setup_.alpha / setup_.rank),
          .tolerance = options_.mask_tol,
          .grad_scale = options_.lsq_gradient ? 1 / std::sqrt(static_cast<float>(group) * highest) : 1.0f,
          .half_grid = setup_.scale_dtype == DType::f16};
}

std::unique_ptr<Linear> L4qMethod::make_linear(std::vector<BaseWeight> weights) {
  if (std::ranges::none_of(weights, [&](const BaseWeight& w) { return is_ours(w); }))
    return std::make_unique<FrozenLinear>(std::move(weights));
  std::vector<std::optional<LowRankFactors>> factors;
  std::vector<Grid> grids;
  const FakeQuantOptions quantise = quantiser(weights[0].columns);
  for (const BaseWeight& w : weights) {
    if (!is_ours(w)) {
      factors.emplace_back();
      grids.emplace_back();
      continue;
    }
    const Shape shape{w.rows, w.columns / quantise.group_size};
    const ParameterGroup grid{.decay = false};
    factors.emplace_back(add_low_rank(setup_, w.name, w.rows, w.columns));
    grids.push_back({setup_.parameters.add(w.name + ".scale", shape, grid), std::nullopt});
    if (options_.train_offset) grids.back().offset = setup_.parameters.add(w.name + ".offset", shape, grid);
  }
  auto linear =
      std::make_unique<L4qLinear>(std::move(weights), factors, scratch_, std::move(grids), quantise);
  add_targets(*linear, factors);
  return linear;
}

void L4qMethod::start_projection(const ProjectionStart& p) {
  require_finite(p.name, p.original, p.columns);
  start_low_rank(p);
  const std::uint32_t group = group_size(p.columns);
  std::vector<float> scale(p.original.size() / group), offset(scale.size());
  parallel_for(scale.size(), [&](std::size_t k) {
    const auto grid = affine_start(p.original.subspan(k * group, group), setup_.bits, options_.init);
    scale[k] = grid.scale;
    offset[k] = grid.offset;
  });
  setup_.parameters.start(p.name + ".scale", std::move(scale));
  if (options_.train_offset) setup_.parameters.start(p.name + ".offset", std::move(offset));
}

// Minima that are whole steps below zero, as without a trained offset, are zeros, which more formats hold.
void L4qMethod::read_grid(vk::Device& device, const std::string& name, const Target&,
                          std::span<const float> scale, QuantizedMatrix& out) const {
  std::vector<float> offset(scale.size());
  if (options_.train_offset) offset = device.download<float>(setup_.parameters.at(name + ".offset").value);
  const std::uint32_t middle = 1u << (out.bits - 1);
  std::vector<StoredAffine> grids;
  for (std::size_t k = 0; k < scale.size(); ++k)
    grids.push_back(stored_affine(scale[k], offset[k], out.bits));
  out.symmetric = std::ranges::all_of(
      grids, [&](const StoredAffine& g) { return g.low == -g.scale * static_cast<float>(middle); });
  out.offset = !out.symmetric;
  for (const StoredAffine& g : grids)
    out.grid.push_back(grid_word(float_to_f16(g.scale), out.symmetric ? middle : float_to_f16(g.low)));
}

// Rates, decay and warm-up of the paper's runs (section 4.1); alpha as LoRA's usual 2·rank.
const MethodEntry l4q_method{.name = "l4q",
                             .summary = "LoRA inside a trained quantiser, on a 16-bit base",
                             .base = BaseRule::own_grid,
                             .defaults = {.rank = 4,
                                          .alpha_per_rank = 2,
                                          .learning_rate = 5e-5,
                                          .weight_decay = 0.01,
                                          .warmup = 0.1,
                                          .epochs = 1},
                             .check_option = check_method_option<L4qOptions, set_l4q_option>,
                             .make = make_method<L4qMethod>};

}  // namespace walsh
