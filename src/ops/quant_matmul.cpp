#include "ops/quant_matmul.h"

#include "ops/gemm.h"
#include "ops/matrix_tile.h"
#include "shaders/quant_matmul.h"

namespace walsh {
namespace {

void expect_weight(std::string_view op, const QuantizedTensor& w) {
  require(w.bits == 2 || w.bits == 3 || w.bits == 4 || w.bits == 8,
          "{}: w has {} bits, expected 2, 3, 4 or 8", op, w.bits);
  require(w.group_size > 0 && w.columns % w.group_size == 0, "{}: w has {} columns in groups of {}", op,
          w.columns, w.group_size);
  expect(op, "w.codes", w.codes, DType::u32, {w.rows, words_per_row(w.columns, w.bits)});
  expect(op, "w.grid", w.grid, DType::u32, {w.rows, w.columns / w.group_size});
}

QuantMatmulArgs arguments(const QuantizedTensor& w, std::uint64_t tokens, bool extra) {
  return {static_cast<std::uint32_t>(tokens), w.columns,    w.rows,
          words_per_row(w.columns, w.bits),   w.group_size, extra};
}

// Groups are multiples of 32 codes, which shaders/lib/quantized_texels.glsl reads at once.
bool reads_texels(Recorder& rec, const QuantizedTensor& w, const Tensor& activations) {
  return w.group_size % 32 == 0 &&
         walsh::reads_texels(rec.device().info(), {w.rows, w.columns}, {w.codes, w.grid, activations});
}

}  // namespace

void quant_matmul_forward(Recorder& rec, const Tensor& y, const Tensor& x, const QuantizedTensor& w,
                          const Tensor& bias) {
  const std::uint64_t tokens = x.shape.rows();
  expect_weight("quant_matmul_forward", w);
  expect_rows("quant_matmul_forward", "x", x, w.columns, tokens);
  expect_rows("quant_matmul_forward", "y", y, w.rows, tokens);
  if (bias) expect("quant_matmul_forward", "bias", bias, DType::f32, {w.rows});
  if (const auto tile = choose_matrix_tile(rec, tokens, w.rows)) {
    dispatch_matrices(rec, "quant_matmul_forward_coopmat", {y, x, w.codes, w.grid, bias ? bias : x},
                      arguments(w, tokens, static_cast<bool>(bias)), *tile, tokens, w.rows, {w.columns},
                      {w.bits, w.group_size % 8 == 0, w.offset});
    return;
  }
  if (reads_texels(rec, w, x)) {
    const GemmTile tile = choose_texel_tile(tokens, tokens <= 8 ? 8 : 32);
    rec.dispatch("quant_matmul_forward_texels", {y, x, w.codes, w.grid, bias ? bias : x},
                 arguments(w, tokens, static_cast<bool>(bias)), groups_for(tile, tokens, w.rows),
                 {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, w.bits, w.offset});
    return;
  }
  const GemmTile tile = choose_tile(rec.device().info(), tokens, w.rows, WeightKind::packed);
  rec.dispatch("quant_matmul_forward", {y, x, w.codes, w.grid, bias ? bias : x},
               arguments(w, tokens, static_cast<bool>(bias)), groups_for(tile, tokens, w.rows),
               {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, tile.bk,
                divides(tile, tokens, w.rows, w.columns), w.bits, w.group_size % 8 == 0, w.offset});
}

void quant_matmul_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const QuantizedTensor& w,
                           bool accumulate) {
  const std::uint64_t tokens = dy.shape.rows();
  expect_weight("quant_matmul_backward", w);
  expect_rows("quant_matmul_backward", "dy", dy, w.rows, tokens);
  expect_rows("quant_matmul_backward", "dx", dx, w.columns, tokens);
  if (const auto tile = choose_matrix_tile(rec, tokens, w.columns)) {
    dispatch_matrices(rec, "quant_matmul_backward_coopmat", {dx, dy, w.codes, w.grid},
                      arguments(w, tokens, accumulate), *tile, tokens, w.columns, {w.columns, w.rows},
                      {w.bits, w.group_size % 8 == 0, w.offset});
    return;
  }
  if (reads_texels(rec, w, dy)) {
    const GemmTile tile = choose_texel_tile(tokens, 32);
    rec.dispatch("quant_matmul_backward_texels", {dx, dy, w.codes, w.grid}, arguments(w, tokens, accumulate),
                 groups_for(tile, tokens, w.columns),
                 {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, w.bits, w.offset});
    return;
  }
  const GemmTile tile = choose_tile(rec.device().info(), tokens, w.columns, WeightKind::packed);
  rec.dispatch("quant_matmul_backward", {dx, dy, w.codes, w.grid}, arguments(w, tokens, accumulate),
               groups_for(tile, tokens, w.columns),
               {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, tile.bk,
                divides(tile, tokens, w.columns, w.rows), w.bits, w.group_size % 8 == 0, w.offset});
}

void dequantize(Recorder& rec, const Tensor& w, const QuantizedTensor& q) {
  expect_weight("dequantize", q);
  expect("dequantize", "w", w, DType::f32, {q.rows, q.columns});
  count32("dequantize", w.shape.elements());
  rec.dispatch("quant_matmul_dequantize", {w, q.codes, q.grid}, arguments(q, 0, false),
               groups_for_elements(std::uint64_t{q.rows} * ceil_div(q.columns, 8), 64),
               {q.bits, q.group_size % 8 == 0, q.offset});
}

}  // namespace walsh
