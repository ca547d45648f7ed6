#include "methods/low_rank_linear.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"
#include "ops/add.h"
#include "ops/matmul.h"

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

TileScratch reserve_tiles(const MethodSetup& setup, std::uint32_t rows) {
  const std::uint32_t all = (setup.widest + tile_step - 1) / tile_step * tile_step;
  if (rows == 0)
    rows =
        std::max(tile_step, static_cast<std::uint32_t>(tile_elements / setup.widest / tile_step) * tile_step);
  rows = std::min(rows, all);
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

}  // namespace walsh
