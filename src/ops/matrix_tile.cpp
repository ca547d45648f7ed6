#include "ops/matrix_tile.h"

namespace walsh {
namespace {

// A tile of up to `extent` rows and columns, of up to `subgroups` subgroups.
MatrixTile tile_of(const vk::DeviceInfo& device, vk::Precision operands, const vk::MatrixShape& shape,
                   std::uint32_t extent, std::uint32_t subgroups) {
  const std::uint32_t size = subgroup_size(device);
  const std::uint32_t most = std::min(256 / size, device.limits.max_subgroups);
  while (subgroups > most) subgroups /= 2;
  const std::uint32_t down = subgroups >= 4 ? 2 : 1, across = std::max(1u, subgroups / down);
  std::uint32_t rows = std::max(1u, extent / (down * shape.m)),
                columns = std::max(1u, extent / (across * shape.n));
  while (rows * columns > 1 && rows * columns * shape.m * shape.n > device.tuning.matrix_sums * size)
    (rows >= columns ? rows : columns) /= 2;
  return {.operands = operands,
          .shape = shape,
          .subgroup = size,
          .subgroup_rows = down,
          .subgroup_columns = across,
          .matrix_rows = rows,
          .matrix_columns = columns,
          .bk = std::max(device.tuning.matrix_depth, shape.k)};
}

}  // namespace

std::uint64_t MatrixTile::shared_bytes() const {
  const std::uint64_t padding = std::max(bk, rows() + columns());
  return 2 * (std::uint64_t{bk} * (rows() + columns()) + 8 * padding) +
         4 * std::uint64_t{subgroup_rows} * subgroup_columns * shape.m * shape.n;
}

std::optional<MatrixTile> choose_matrix_tile(Recorder& rec, std::uint64_t rows, std::uint64_t columns) {
  const vk::DeviceInfo& device = rec.device().info();
  const vk::MatrixShape shape = vk::matrix_shape(device, rec.operands());
  if (!shape) return std::nullopt;
  if (rows * columns >= device.tuning.large_tile_results) {
    const MatrixTile large = tile_of(device, rec.operands(), shape, 128, 8);
    if (large.shared_bytes() <= device.limits.max_shared_bytes) return large;
  }
  return tile_of(device, rec.operands(), shape, 64, 4);
}

}  // namespace walsh
