#include "methods/lr_qat.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "methods/option_text.h"
#include "quantize/rtn.h"

namespace walsh {
namespace {

class LrQatLinear final : public LowRankLinear {
 public:
  LrQatLinear(std::vector<BaseWeight> weights, std::vector<std::optional<LowRankFactors>> factors,
              LrQatMethod& method, const TileScratch& scratch, std::vector<FrozenPhi> phi,
              std::vector<Parameter> scales)
      : LowRankLinear(std::move(weights), std::move(factors), scratch),
        method_(method),
        quantiser_(method.quantiser(weights_[0].columns)),
        phi_(std::move(phi)),
        scales_(std::move(scales)) {}

  void load(vk::Device& device, std::size_t i, std::span<const float> weight) override {
    const PhiFormat format = method_.format();
    const LrQatMethod::Ranges grid = method_.take_ranges(weights_[i].name, weight, weights_[i].columns);
    const auto phi = make_phi(weight, std::span<const float>(grid.scale),
                              std::span<const std::uint32_t>(grid.zeros), format);
    const FrozenPhi& to = phi_[i];
    if (to.zeros) device.upload(to.zeros, grid.zeros);
    if (format.packed()) {
      device.upload(to.packed, pack_phi(phi, to.columns, format));
    } else if (format.store == PhiStore::bf16) {
      std::vector<std::uint16_t> halves;
      for (const float value : phi) halves.push_back(float_to_bf16(value));
      device.upload(to.dense, halves);
    } else {
      device.upload(to.dense, phi);
    }
  }

  /// Of an asymmetric grid; otherwise empty.
  std::vector<std::uint32_t> zeros(vk::Device& device, std::size_t i) const {
    return phi_[i].zeros ? device.download<std::uint32_t>(phi_[i].zeros) : std::vector<std::uint32_t>{};
  }

 private:
  void make(vk::Recorder& rec, std::size_t i, std::uint64_t first, const Tensor& w,
            const Tensor& product) const override {
    const std::uint64_t count = w.shape[0];
    requantize_forward(rec, w, phi_[i].tile(first, count), product, scales_[i].value.rows(first, count),
                       quantiser_);
  }

  void differentiate(vk::Recorder& rec, std::size_t i, std::uint64_t first, const Tensor& g,
                     const Tensor& product) const override {
    const std::uint64_t count = g.shape[0];
    requantize_backward(rec, g, scales_[i].gradient.rows(first, count), phi_[i].tile(first, count), product,
                        scales_[i].value.rows(first, count), quantiser_);
  }

  LrQatMethod& method_;
  RequantizeOptions quantiser_;
  std::vector<FrozenPhi> phi_;  // by projection; empty where it is no target
  std::vector<Parameter> scales_;
};

}  // namespace

void set_lr_qat_option(LrQatOptions& o, std::string_view key, std::string_view value) {
  if (key == "phi") {
    o.phi = parse_phi_store(value);
  } else if (key == "p") {
    o.p = option_number("lr-qat.p", value, 0, 16);
    require(o.p == 0 || o.p >= 1, "lr-qat.p={}: expected 1 to 16, or 0 for the weights' own range", value);
  } else if (key == "scale_rate") {
    o.scale_rate = option_number("lr-qat.scale_rate", value, 0, 1e6);
  } else if (key == "asymmetric") {
    o.asymmetric = option_word("lr-qat.asymmetric", value, {"off", "on"}) == 1;
  } else if (key == "tile_rows") {
    o.tile_rows = option_tile_rows("lr-qat.tile_rows", value);
  } else {
    refuse("lr-qat.{}: no such option; known are phi, p, scale_rate, asymmetric, tile_rows", key);
  }
}

LrQatMethod::LrQatMethod(const MethodSetup& setup)
    : LrQatMethod(setup, method_options<LrQatOptions, set_lr_qat_option>(setup)) {}

LrQatMethod::LrQatMethod(const MethodSetup& setup, const LrQatOptions& options)
    : LowRankMethod(setup, options.tile_rows), options_(options) {}

PhiFormat LrQatMethod::format() const {
  return {.store = options_.phi, .bits = setup_.bits, .asymmetric = asymmetric()};
}

RequantizeOptions LrQatMethod::quantiser(std::uint32_t columns) const {
  return {.group_size = group_size(columns),
          .scaling = static_cast<float>(setup_.alpha / setup_.rank),
          .half_scale = setup_.scale_dtype == DType::f16};
}

// Phi0 takes the place of a target's weight, which comes to LrQatLinear::load.
Weight LrQatMethod::reserve_weight(vk::Arena& arena, const std::string& name, DType dtype,
                                   const Shape& shape) {
  const std::string module = name.substr(0, name.rfind('.'));
  if (name.ends_with("_proj.weight") && is_target(setup_.targets, module)) return {};
  return Method::reserve_weight(arena, name, dtype, shape);
}

std::unique_ptr<Linear> LrQatMethod::make_linear(std::vector<BaseWeight> weights) {
  if (std::ranges::none_of(weights, [&](const BaseWeight& w) { return is_ours(w); }))
    return std::make_unique<FrozenLinear>(std::move(weights));
  std::vector<std::optional<LowRankFactors>> factors;
  std::vector<FrozenPhi> phis;
  std::vector<Parameter> scales;
  const std::uint32_t group = group_size(weights[0].columns);
  const PhiFormat phi_format = format();
  const double scale_rate = options_.scale_rate.value_or(setup_.bits == 2 ? 0.1 : 0.01);
  for (const BaseWeight& w : weights) {
    phis.emplace_back();
    scales.emplace_back();
    factors.emplace_back();
    if (!is_ours(w)) continue;
    const Shape grid{w.rows, w.columns / group};
    FrozenPhi& phi = phis.back();
    phi.columns = w.columns;
    phi.bits = phi_format.bits;
    phi.fraction = phi_format.fraction();
    if (phi_format.packed()) {
      phi.packed =
          reserve(setup_.arena, DType::u32, {w.rows, words_per_row(w.columns, phi.bits + phi.fraction)});
    } else {
      phi.dense = reserve(setup_.arena, phi_format.store == PhiStore::bf16 ? DType::bf16 : DType::f32,
                          {w.rows, w.columns});
    }
    if (phi_format.asymmetric) phi.zeros = reserve(setup_.arena, DType::u32, grid);
    factors.back() = add_low_rank(setup_, w.name, w.rows, w.columns);
    scales.back() = setup_.parameters.add(w.name + ".scale", grid,
                                          {.rate = static_cast<float>(scale_rate), .decay = false});
  }
  auto linear = std::make_unique<LrQatLinear>(std::move(weights), factors, *this, scratch_, std::move(phis),
                                              std::move(scales));
  add_targets(*linear, factors);
  return linear;
}

LrQatMethod::Ranges LrQatMethod::ranges(const std::string& name, std::span<const float> weight,
                                        std::uint32_t columns) const {
  const std::uint32_t group = group_size(columns), bits = setup_.bits;
  const auto p = static_cast<float>(options_.p);
  Ranges out{std::vector<float>(weight.size() / group), {}};
  if (asymmetric()) out.zeros.resize(out.scale.size());
  require_finite(name, weight, columns);
  const auto find = [&](std::size_t k) {
    const auto w = weight.subspan(k * group, group);
    if (!asymmetric()) {
      out.scale[k] = p == 0 ? symmetric_scale(w, bits) : lp_grid(w, bits, p).scale;
    } else if (p == 0) {
      const auto grid = asymmetric_grid(w, bits);
      out.scale[k] = grid.scale;
      out.zeros[k] = static_cast<std::uint32_t>(grid.zero);
    } else {
      const auto grid = shrink_grid(w, bits, p);
      out.scale[k] = grid.scale;
      out.zeros[k] = static_cast<std::uint32_t>(grid.zero);
    }
    // Phi0 belongs to the scale that the forward uses.
    if (setup_.scale_dtype == DType::f16) out.scale[k] = stored_grid(out.scale[k], 0).scale;
  };
  parallel_for(out.scale.size(), find);
  return out;
}

void LrQatMethod::start_projection(const ProjectionStart& p) {
  start_low_rank(p);
  const Ranges& found = ranges_[p.name] = ranges(p.name, p.original, p.columns);
  setup_.parameters.start(p.name + ".scale", found.scale);
}

LrQatMethod::Ranges LrQatMethod::take_ranges(const std::string& name, std::span<const float> weight,
                                             std::uint32_t columns) {
  const auto found = ranges_.find(name);
  if (found == ranges_.end()) return ranges(name, weight, columns);
  Ranges taken = std::move(found->second);
  ranges_.erase(found);
  return taken;
}

void LrQatMethod::read_grid(vk::Device& device, const std::string&, const Target& target,
                            std::span<const float> scale, QuantizedMatrix& out) const {
  const auto zeros = static_cast<const LrQatLinear*>(target.linear)->zeros(device, target.index);
  out.symmetric = !asymmetric();
  for (std::size_t k = 0; k < scale.size(); ++k)
    out.grid.push_back(
        stored_grid(scale[k], zeros.empty() ? 1 << (out.bits - 1) : static_cast<int>(zeros[k])).word);
}

// Rates of the paper's reproduction command: 1e-3 for A and B, 1e-5 for s, decay 0, linear warm-up over 10 %;
// at its rank of 32 the product is scaled by 1/32.
const MethodEntry lr_qat_method{.name = "lr-qat",
                                .summary = "low-rank adapters in units of the grid, over frozen codes",
                                .base = BaseRule::own_grid,
                                .defaults = {.rank = 32,
                                             .alpha_per_rank = 1.0 / 32,
                                             .learning_rate = 1e-3,
                                             .weight_decay = 0,
                                             .warmup = 0.1,
                                             .epochs = 1},
                                .check_option = check_method_option<LrQatOptions, set_lr_qat_option>,
                                .make = make_method<LrQatMethod>};

}  // namespace walsh
