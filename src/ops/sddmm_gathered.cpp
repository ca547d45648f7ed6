#include "ops/sddmm_gathered.h"

#include "ops/gemm.h"
#include "ops/matrix_tile.h"
#include "shaders/sddmm_gathered.h"

namespace walsh {
namespace {

// A block's rows by up to four matrices, one a subgroup: there are more blocks than the device has cores.
std::optional<MatrixTile> choose_block_tile(Recorder& rec) {
  const vk::DeviceInfo& device = rec.device().info();
  const vk::MatrixShape shape = vk::matrix_shape(device, rec.operands());
  if (!shape || SparseBlocks::rows % shape.m != 0) return std::nullopt;
  const std::uint32_t size = subgroup_size(device);
  const MatrixTile tile{.operands = rec.operands(),
                        .shape = shape,
                        .subgroup = size,
                        .subgroup_rows = 1,
                        .subgroup_columns = std::min({4u, 256 / size, device.limits.max_subgroups}),
                        .matrix_rows = SparseBlocks::rows / shape.m,
                        .matrix_columns = 1,
                        .bk = std::max(device.tuning.matrix_depth, shape.k)};
  if (tile.shared_bytes() > device.limits.max_shared_bytes) return std::nullopt;
  return tile;
}

}  // namespace

void sddmm_gathered(Recorder& rec, const Tensor& dvalues, const Tensor& dyt, const Tensor& xt,
                    const SparseTensor& f, const SparseBlocks& blocks, float scale) {
  const std::uint64_t tokens = dyt.shape.back();
  expect("sddmm_gathered", "dvalues", dvalues, DType::f32, {f.nonzeros});
  expect("sddmm_gathered", "dyt", dyt, DType::f32, {f.rows, tokens});
  expect("sddmm_gathered", "xt", xt, DType::f32, {f.columns, tokens});
  count32("sddmm_gathered", dyt.shape.elements());
  count32("sddmm_gathered", xt.shape.elements());
  require(blocks.widest > 0, "sddmm_gathered: the blocks have not been uploaded");
  const SddmmGatheredArgs args{static_cast<std::uint32_t>(tokens), f.rows, scale};
  if (const auto tile = choose_block_tile(rec)) {
    dispatch_matrices(rec, "sddmm_gathered_coopmat",
                      {dvalues, dyt, xt, f.row_ptr, f.columns_of, blocks.block_ptr, blocks.union_of}, args,
                      *tile, f.rows, blocks.widest, {tokens});
    return;
  }
  // No staging where shared memory is no faster than a buffer (ops/gemm.cpp).
  const GemmTile tile = rec.device().info().tuning.lane_by_lane
                            ? GemmTile{.gx = 1, .gy = 8, .tm = 2, .tn = 8, .bk = 0}
                            : GemmTile{.gx = 16, .gy = 16, .tm = 1, .tn = 4, .bk = 16};
  rec.dispatch("sddmm_gathered",
               {dvalues, dyt, xt, f.row_ptr, f.columns_of, blocks.block_ptr, blocks.union_of}, args,
               groups_for(tile, f.rows, blocks.widest),
               {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, tile.bk, false});
}

}  // namespace walsh
