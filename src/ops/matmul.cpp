#include "ops/matmul.h"

#include "ops/gemm.h"
#include "ops/matrix_tile.h"
#include "shaders/matmul.h"

namespace walsh {
namespace {

std::uint32_t weight_type(std::string_view op, const Tensor& w) {
  require(static_cast<bool>(w), "{}: w is missing", op);
  require(w.shape.rank() == 2, "{}: w has shape {}, expected two axes", op, w.shape.text());
  require(w.dtype == DType::f32 || w.dtype == DType::f16 || w.dtype == DType::bf16,
          "{}: w is {}, expected f32, f16 or bf16", op, name_of(w.dtype));
  return w.dtype == DType::f32 ? 0 : w.dtype == DType::f16 ? 1 : 2;
}

// Calls `part(rows of w, first row)` for parts of w that the device can bind: one, unless w is a large
// embedding. A part begins at a multiple of 128 rows, which keeps it on the boundary of Arena::alignment.
template <typename Part>
void for_parts(Recorder& rec, const Tensor& w, Part&& part) {
  const std::uint64_t rows = w.shape[0], row_bytes = w.shape[1] * size_of(w.dtype);
  const std::uint64_t fit = rec.device().info().limits.max_storage_range / row_bytes;
  const std::uint64_t step = fit >= rows ? rows : fit / 128 * 128;
  require(step > 0, "a matrix {} of {}: 128 rows do not fit a binding of {} bytes", w.shape.text(),
          name_of(w.dtype), rec.device().info().limits.max_storage_range);
  for (std::uint64_t first = 0; first < rows; first += step) {
    const std::uint64_t count = std::min(step, rows - first);
    const std::uint64_t offset = first * row_bytes;
    // 16-bit tensors end on a whole word of padding.
    const std::uint64_t bytes = std::min(w.memory.size - offset, (count * row_bytes + 3) / 4 * 4);
    part(w.memory.part(offset, bytes), static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count));
  }
}

// The outputs of all tiles, of which w's rows are a part.
std::uint64_t all_outputs(std::string_view op, const Tensor& outputs, const Tensor& w, std::uint64_t first) {
  require(first % 4 == 0 && first + w.shape[0] <= outputs.shape.back(),
          "{}: rows {} to {} of a matrix with {}; a tile begins at a multiple of 4", op, first,
          first + w.shape[0], outputs.shape.back());
  return outputs.shape.back();
}

}  // namespace

void matmul_forward(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias) {
  require(static_cast<bool>(w), "matmul_forward: w is missing");
  expect_rows("matmul_forward", "y", y, w.shape[0], x.shape.rows());
  matmul_forward_tile(rec, y, x, w, 0, bias);
}

void matmul_forward_tile(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& w,
                         std::uint64_t begin, const Tensor& bias) {
  const std::uint32_t type = weight_type("matmul_forward", w);
  const std::uint64_t tokens = x.shape.rows(), n = w.shape[1];
  const std::uint64_t m = all_outputs("matmul_forward", y, w, begin);
  expect_rows("matmul_forward", "x", x, n, tokens);
  expect_rows("matmul_forward", "y", y, m, tokens);
  if (bias) expect("matmul_forward", "bias", bias, DType::f32, {m});
  for_parts(rec, w, [&](const vk::Slice& part, std::uint32_t first, std::uint32_t count) {
    const MatmulArgs args{
        static_cast<std::uint32_t>(tokens),        static_cast<std::uint32_t>(n), count,
        static_cast<std::uint32_t>(begin + first), static_cast<std::uint32_t>(m), static_cast<bool>(bias)};
    if (const auto tile = choose_matrix_tile(rec, tokens, count)) {
      dispatch_matrices(rec, "matmul_forward_coopmat", {y, x, part, bias ? bias : x}, args, *tile, tokens,
                        count, {n}, {type});
      return;
    }
    if (reads_texels(rec.device().info(), {n, m, count}, {x, part})) {
      const GemmTile tile = choose_texel_tile(tokens, tokens <= 8 ? 8 : 16);
      rec.dispatch("matmul_forward_texels", {y, x, part, bias ? bias : x}, args,
                   groups_for(tile, tokens, count), {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, type});
      return;
    }
    const GemmTile tile = choose_tile(rec.device().info(), tokens, count, WeightKind::dense);
    rec.dispatch(
        "matmul_forward", {y, x, part, bias ? bias : x}, args, groups_for(tile, tokens, count),
        {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, tile.bk, divides(tile, tokens, count, n), type});
  });
}

void matmul_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const Tensor& w, bool accumulate) {
  require(static_cast<bool>(w), "matmul_backward: w is missing");
  expect_rows("matmul_backward", "dy", dy, w.shape[0], dy.shape.rows());
  matmul_backward_tile(rec, dx, dy, w, 0, accumulate);
}

void matmul_backward_tile(Recorder& rec, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          std::uint64_t begin, bool accumulate) {
  const std::uint32_t type = weight_type("matmul_backward", w);
  const std::uint64_t tokens = dy.shape.rows(), n = w.shape[1];
  const std::uint64_t m = all_outputs("matmul_backward", dy, w, begin);
  expect_rows("matmul_backward", "dy", dy, m, tokens);
  expect_rows("matmul_backward", "dx", dx, n, tokens);
  for_parts(rec, w, [&](const vk::Slice& part, std::uint32_t first, std::uint32_t count) {
    const MatmulArgs args{
        static_cast<std::uint32_t>(tokens),        static_cast<std::uint32_t>(n), count,
        static_cast<std::uint32_t>(begin + first), static_cast<std::uint32_t>(m), accumulate || first > 0};
    if (const auto tile = choose_matrix_tile(rec, tokens, n)) {
      dispatch_matrices(rec, "matmul_backward_coopmat", {dx, dy, part}, args, *tile, tokens, n,
                        {n, m, count, begin + first}, {type});
      return;
    }
    if (reads_texels(rec.device().info(), {n, m, count}, {dy, part})) {
      const GemmTile tile = choose_texel_tile(tokens, 16);
      rec.dispatch("matmul_backward_texels", {dx, dy, part}, args, groups_for(tile, tokens, n),
                   {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, type});
      return;
    }
    const GemmTile tile = choose_tile(rec.device().info(), tokens, n, WeightKind::dense);
    rec.dispatch(
        "matmul_backward", {dx, dy, part}, args, groups_for(tile, tokens, n),
        {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, tile.bk, divides(tile, tokens, n, count), type});
  });
}

void matmul_backward_weight(Recorder& rec, const Tensor& dw, const Tensor& dy, const Tensor& x) {
  expect("matmul_backward_weight", "dw", dw, DType::f32, {dy.shape.back(), x.shape.back()});
  matmul_backward_weight_tile(rec, dw, dy, x, 0);
}

void matmul_backward_weight_tile(Recorder& rec, const Tensor& dw, const Tensor& dy, const Tensor& x,
                                 std::uint64_t begin) {
  require(static_cast<bool>(dw) && dw.shape.rank() == 2, "matmul_backward_weight: dw is no matrix");
  const std::uint64_t tokens = x.shape.rows(), n = x.shape.back();
  const std::uint64_t m = all_outputs("matmul_backward_weight", dy, dw, begin);
  expect_rows("matmul_backward_weight", "x", x, n, tokens);
  expect_rows("matmul_backward_weight", "dy", dy, m, tokens);
  expect("matmul_backward_weight", "dw", dw, DType::f32, {dw.shape[0], n});
  for_parts(rec, dw, [&](const vk::Slice& part, std::uint32_t first, std::uint32_t count) {
    const MatmulArgs args{static_cast<std::uint32_t>(tokens),        static_cast<std::uint32_t>(n), count,
                          static_cast<std::uint32_t>(begin + first), static_cast<std::uint32_t>(m), 0};
    if (const auto tile = choose_matrix_tile(rec, count, n)) {
      dispatch_matrices(rec, "matmul_backward_weight_coopmat", {part, dy, x}, args, *tile, count, n,
                        {n, m, count, begin + first});
      return;
    }
    if (reads_texels(rec.device().info(), {n, m, count}, {dy, x})) {
      const GemmTile tile = choose_texel_tile(count, 8);
      rec.dispatch("matmul_backward_weight_texels", {part, dy, x}, args, groups_for(tile, count, n),
                   {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn});
      return;
    }
    const GemmTile tile = choose_tile(rec.device().info(), count, n, WeightKind::dense);
    rec.dispatch("matmul_backward_weight", {part, dy, x}, args, groups_for(tile, count, n),
                 {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, tile.bk, divides(tile, count, n, tokens)});
  });
}

void matmul_backward_bias(Recorder& rec, const Tensor& dbias, const Tensor& dy) {
  const std::uint64_t tokens = dy.shape.rows(), m = dy.shape.back();
  expect_rows("matmul_backward_bias", "dy", dy, m, tokens);
  expect("matmul_backward_bias", "dbias", dbias, DType::f32, {m});
  const MatmulArgs args{static_cast<std::uint32_t>(tokens), 0, static_cast<std::uint32_t>(m), 0,
                        static_cast<std::uint32_t>(m),      0};
  rec.dispatch("matmul_backward_bias", {dbias, dy}, args, groups_for_elements(m, 64));
}

}  // namespace walsh
