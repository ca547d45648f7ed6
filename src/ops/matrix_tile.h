// The tiling of shaders/lib/gemm_coopmat.glsl, and when products run there: where the recorder lets operands
// have 16 bits and the device multiplies such matrices (vk/matrices.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ops/parts.h"
#include "vk/matrices.h"

namespace walsh {

struct MatrixTile {
  vk::Precision operands;
  vk::MatrixShape shape;
  std::uint32_t subgroup;                         // invocations of one
  std::uint32_t subgroup_rows, subgroup_columns;  // of a workgroup
  std::uint32_t matrix_rows, matrix_columns;      // of a subgroup
  std::uint32_t bk;

  std::uint32_t rows() const { return subgroup_rows * matrix_rows * shape.m; }
  std::uint32_t columns() const { return subgroup_columns * matrix_columns * shape.n; }
  std::uint32_t workgroup() const { return subgroup * subgroup_rows * subgroup_columns; }
  /// Of shared memory; the padding depends on how the operands lie, and is counted at its most.
  std::uint64_t shared_bytes() const;
};

/// The tile for a product of this size, or none: it runs in fp32 without matrix units.
std::optional<MatrixTile> choose_matrix_tile(Recorder& rec, std::uint64_t rows, std::uint64_t columns);

/// Dispatches `kernel` in the variant of the tile's operands. `widths`: the lengths of all rows that it
/// reads; `more`: its constants behind those of the tile; `parts`: products of that size at most.
template <typename Args>
void dispatch_matrices(Recorder& rec, const std::string& kernel, std::initializer_list<vk::Slice> buffers,
                       const Args& args, const MatrixTile& tile, std::uint64_t rows, std::uint64_t columns,
                       const std::vector<std::uint64_t>& widths,
                       std::initializer_list<std::uint32_t> more = {}, std::size_t parts = 1) {
  const bool whole =
      std::ranges::all_of(widths, [](std::uint64_t width) { return width % 8 == 0; }) &&
      std::ranges::all_of(buffers, [](const vk::Slice& slice) { return slice.offset % 16 == 0; });
  std::vector<std::uint32_t> constants{
      tile.workgroup(),   tile.subgroup,    tile.shape.m,        tile.shape.n, tile.shape.k,
      tile.subgroup_rows, tile.matrix_rows, tile.matrix_columns, tile.bk,      whole};
  constants.insert(constants.end(), more);
  const Groups groups = each(groups_for_tiles({columns, rows}, {tile.columns(), tile.rows()}), parts);
  rec.dispatch(kernel + (tile.operands == vk::Precision::fp16 ? ".f16" : ".bf16"),
               std::span(buffers.begin(), buffers.size()), &args, sizeof(Args), groups, constants);
}

}  // namespace walsh
