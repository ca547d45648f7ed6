#include "methods/low_rank_linear.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"
#include "ops/add.h"
#include "ops/matmul.h"
#include "quantize/grid.h"
#include "quantize/rtn.h"
#include "tensor/packing.h"

namespace walsh {
namespace {

constexpr std::uint32_t tile_step = 128;
constexpr std::uint64_t tile_elements = std::uint64_t{1} << 23;

// The leading part of a scratch tensor as [rows, columns].
Tensor shaped(const Tensor& scratch, std::uint64_t rows, std::uint64_t columns) {
  return {scratch.memory.part(0, rows * columns * 4), DType::f32, {rows, columns}};
}

}  // namespace

LowRankFactors add_low_rank(const MethodSetup& setup, const std::string& name, std::uint32_t rows,
                            std::uint32_t columns) {
  return {setup.parameters.add(name + ".B", {rows, setup.rank}),
          setup.parameters.add(name + ".A", {setup.rank, columns})};
}

std::vector<float> low_rank_start(std::uint64_t seed, std::uint32_t index, std::uint32_t rank,
                                  std::uint32_t columns) {
  Philox random(seed, (std::uint64_t{1} << 32) | index);
  const float bound = 1 / std::sqrt(static_cast<float>(columns));
  std::vector<float> values(std::size_t{rank} * columns);
  for (float& value : values) value = bound * (2 * random.uniform() - 1);
  return values;
}

void require_finite(const std::string& name, std::span<const float> weight, std::uint32_t columns) {
  const auto bad = std::ranges::find_if(weight, [](float value) { return !std::isfinite(value); });
  require(bad == weight.end(), "{}: a weight of row {} is {}, not a finite number", name,
          (bad - weight.begin()) / columns, bad == weight.end() ? 0 : *bad);
}

std::uint32_t tile_rows(const MethodSetup& setup, std::uint32_t asked) {
  const std::uint32_t all = (setup.widest + tile_step - 1) / tile_step * tile_step;
  if (asked == 0)
    asked =
        std::max(tile_step, static_cast<std::uint32_t>(tile_elements / setup.widest / tile_step) * tile_step);
  return std::min(asked, all);
}

TileScratch reserve_tiles(const MethodSetup& setup, std::uint32_t asked) {
  const std::uint32_t rows = tile_rows(setup, asked);
  const auto tile = [&] { return reserve(setup.arena, DType::f32, {rows, setup.widest}); };
  return {.rows = rows,
          .weight = tile(),
          .product = tile(),
          .db = reserve(setup.arena, DType::f32, {rows, setup.rank})};
}

void LowRankLinear::for_tiles(std::size_t i, const std::function<void(const Tile&)>& visit) const {
  const std::uint64_t m = weights_[i].rows, n = weights_[i].columns;
  const Parameter& b = factors_[i]->b;
  for (std::uint64_t first = 0; first < m; first += scratch_.rows) {
    const std::uint64_t count = std::min<std::uint64_t>(scratch_.rows, m - first);
    visit({.first = first,
           .weight = shaped(scratch_.weight, count, n),
           .product = shaped(scratch_.product, count, n),
           .b = b.value.rows(first, count),
           .db = shaped(scratch_.db, count, b.value.shape[1]),
           .b_gradient = b.gradient ? b.gradient.rows(first, count) : Tensor{}});
  }
}

void LowRankLinear::make_tile(vk::Recorder& rec, std::size_t i, const Tile& tile) const {
  matmul_backward(rec, tile.product, tile.b, factors_[i]->a.value);
  make(rec, i, tile.first, tile.weight, tile.product);
}

void LowRankLinear::forward(vk::Recorder& rec, std::span<const Tensor> y, const Tensor& x) {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const BaseWeight& w = weights_[i];
    if (!factors_[i]) {
      matmul_forward(rec, y[i], x, w.dense, w.bias);
      continue;
    }
    for_tiles(i, [&](const Tile& tile) {
      make_tile(rec, i, tile);
      matmul_forward_tile(rec, y[i], x, tile.weight, tile.first, w.bias);
    });
  }
}

void LowRankLinear::backward(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy,
                             const Tensor& x) {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (!factors_[i]) {
      if (dx) matmul_backward(rec, dx, dy[i], weights_[i].dense, i > 0);
      continue;
    }
    const LowRankFactors& f = *factors_[i];
    for_tiles(i, [&](const Tile& tile) {
      make_tile(rec, i, tile);
      if (dx) matmul_backward_tile(rec, dx, dy[i], tile.weight, tile.first, i > 0 || tile.first > 0);
      const Tensor& g = tile.weight;  // the weight is done with
      rec.clear(g);
      matmul_backward_weight_tile(rec, g, dy[i], x, tile.first);
      differentiate(rec, i, tile.first, g, tile.product);
      matmul_forward(rec, tile.db, g, f.a.value);
      add(rec, tile.b_gradient, tile.b_gradient, tile.db);
      matmul_backward_weight(rec, f.a.gradient, tile.b, g);
    });
  }
}

std::vector<float> LowRankLinear::weight(vk::Device& device, std::size_t i) const {
  std::vector<float> all;
  for_tiles(i, [&](const Tile& tile) {
    vk::run_once(device, [&](vk::Recorder& rec) { make_tile(rec, i, tile); });
    const auto rows = device.download<float>(tile.weight);
    all.insert(all.end(), rows.begin(), rows.end());
  });
  return all;
}

LowRankMethod::LowRankMethod(const MethodSetup& setup, std::uint32_t tile_rows) : Method(setup) {
  require(setup.rank > 0, "{}: rank 0, expected 1 or more", setup.method);
  scratch_ = reserve_tiles(setup, tile_rows);
}

void LowRankMethod::add_targets(const LowRankLinear& linear,
                                const std::vector<std::optional<LowRankFactors>>& factors) {
  for (std::size_t i = 0; i < factors.size(); ++i)
    if (factors[i]) targets_[linear.weights()[i].name] = {&linear, i};
}

std::uint32_t LowRankMethod::group_size(std::uint32_t columns) const {
  return checked_group_size(columns, setup_.bits, setup_.group_size, setup_.method);
}

void LowRankMethod::start_low_rank(const ProjectionStart& p) {
  setup_.parameters.start(p.name + ".A", low_rank_start(setup_.seed, p.index, setup_.rank, p.columns));
}

std::optional<QuantizedMatrix> LowRankMethod::exported(vk::Device& device, const std::string& module) const {
  if (!targets_.contains(module) || setup_.scale_dtype != DType::f16) return std::nullopt;
  return merged(device, module);
}

QuantizedMatrix LowRankMethod::merged(vk::Device& device, const std::string& name) const {
  const auto found = targets_.find(name);
  require(found != targets_.end(), "{} is not trained in this run", name);
  require(setup_.scale_dtype == DType::f16,
          "{}: trained with fp32 scales, which no file of codes holds exactly", name);
  const Target& target = found->second;
  const BaseWeight& base = target.linear->weights()[target.index];
  const auto weight = target.linear->weight(device, target.index);
  QuantizedMatrix out{.rows = base.rows,
                      .columns = base.columns,
                      .bits = setup_.bits,
                      .group_size = group_size(base.columns),
                      .codes = {},
                      .grid = {}};
  read_grid(device, name, target, device.download<float>(setup_.parameters.at(name + ".scale").value), out);
  std::vector<std::uint8_t> codes(out.columns);
  for (std::uint32_t row = 0; row < out.rows; ++row) {
    for (std::uint32_t j = 0; j < out.columns; ++j) {
      const float code = out.code_of(row, j, weight[std::size_t{row} * out.columns + j]);
      codes[j] = static_cast<std::uint8_t>(std::clamp(code, 0.0f, static_cast<float>(code_steps(out.bits))));
    }
    const auto words = pack_codes(codes, out.bits);
    out.codes.insert(out.codes.end(), words.begin(), words.end());
  }
  const auto held = out.weights();
  for (std::size_t i = 0; i < held.size(); ++i)
    if (held[i] != weight[i]) fail("{}: weight {} is {}, which is no code of its group", name, i, weight[i]);
  return out;
}

std::vector<std::string> LowRankMethod::remarks(vk::Device& device) const {
  if (setup_.scale_dtype != DType::f16) return {};
  std::size_t small = 0, all = 0;
  for (const auto& [name, target] : targets_) {
    for (const float scale : device.download<float>(setup_.parameters.at(name + ".scale").value)) {
      small += scale < 0x1p-14f;
      ++all;
    }
  }
  if (small == 0) return {};
  return {fmt::format("{} of {} scales fell below 2^-14, where the forward holds them", small, all)};
}

}  // namespace walsh
