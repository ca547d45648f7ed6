#include "ops/quant_matmul.h"

#include <array>

#include "ops/gemm.h"
#include "ops/matrix_tile.h"
#include "ops/parts.h"
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

// Groups are multiples of 32 codes, which shaders/lib/quantized_texels.glsl reads at once.
bool reads_texels(Recorder& rec, const QuantizedTensor& w, const Tensor& activations) {
  return w.group_size % 32 == 0 &&
         walsh::reads_texels(rec.device().info(), {w.rows, w.columns}, {w.codes, w.grid, activations});
}

// The bindings and arguments of parts that run as one dispatch.
struct Operands {
  vk::Slice y, codes, grid, bias;  // bias: y where there is none
  QuantMatmulArgs args;
  std::uint32_t widest = 0;  // of the parts' rows
};

QuantMatmulArgs arguments(const QuantizedTensor& w, std::uint64_t tokens, bool extra) {
  QuantMatmulArgs args{};
  args.tokens = static_cast<std::uint32_t>(tokens);
  args.inputs = w.columns;
  args.words_per_row = words_per_row(w.columns, w.bits);
  args.group_size = w.group_size;
  args.extra = extra;
  args.parts = 1;
  args.outputs[0] = w.rows;
  return args;
}

std::optional<Operands> operands(Recorder& rec, std::span<const QuantPart> parts, std::uint64_t tokens,
                                 bool extra) {
  if (parts.size() > MOST_PARTS) return std::nullopt;
  const QuantizedTensor& w = parts[0].w;
  Operands o{};
  o.args = arguments(w, tokens, extra);
  o.args.parts = static_cast<std::uint32_t>(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const QuantizedTensor& other = parts[i].w;
    if (other.bits != w.bits || other.group_size != w.group_size || other.offset != w.offset ||
        static_cast<bool>(parts[i].bias) != static_cast<bool>(parts[0].bias))
      return std::nullopt;
    o.args.outputs[i] = other.rows;
    o.widest = std::max(o.widest, other.rows);
  }
  const auto y = cover(
      rec, parts, [](const QuantPart& p) -> vk::Slice { return p.y; }, o.args.y_at);
  const auto codes = cover(
      rec, parts, [](const QuantPart& p) -> vk::Slice { return p.w.codes; }, o.args.codes_at);
  const auto grid = cover(
      rec, parts, [](const QuantPart& p) -> vk::Slice { return p.w.grid; }, o.args.grid_at);
  const auto bias = cover(
      rec, parts, [](const QuantPart& p) -> vk::Slice { return p.bias ? p.bias : p.y; }, o.args.bias_at);
  if (!y || !codes || !grid || !bias) return std::nullopt;
  o.y = *y, o.codes = *codes, o.grid = *grid, o.bias = *bias;
  return o;
}

bool forward_texels(Recorder& rec, const QuantPart& part, const Tensor& x) {
  if (!reads_texels(rec, part.w, x)) return false;
  const std::uint64_t tokens = x.shape.rows();
  const GemmTile tile = choose_texel_tile(tokens, tokens <= 8 ? 8 : 32);
  rec.dispatch("quant_matmul_forward_texels",
               {part.y, x, part.w.codes, part.w.grid, part.bias ? part.bias : x},
               arguments(part.w, tokens, static_cast<bool>(part.bias)), groups_for(tile, tokens, part.w.rows),
               {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, part.w.bits, part.w.offset});
  return true;
}

bool forward_parts(Recorder& rec, std::span<const QuantPart> parts, const Tensor& x) {
  const std::uint64_t tokens = x.shape.rows();
  const auto o = operands(rec, parts, tokens, static_cast<bool>(parts[0].bias));
  if (!o) return false;
  const QuantizedTensor& w = parts[0].w;
  if (const auto tile = choose_matrix_tile(rec, tokens, o->widest)) {
    dispatch_matrices(rec, "quant_matmul_forward_coopmat", {o->y, x, o->codes, o->grid, o->bias}, o->args,
                      *tile, tokens, o->widest, {w.columns}, {w.bits, w.group_size % 8 == 0, w.offset},
                      parts.size());
    return true;
  }
  const GemmTile tile = choose_tile(rec.device().info(), tokens, o->widest, WeightKind::packed);
  const bool even = std::ranges::all_of(
      parts, [&](const QuantPart& p) { return divides(tile, tokens, p.w.rows, w.columns); });
  rec.dispatch(
      "quant_matmul_forward", {o->y, x, o->codes, o->grid, o->bias}, o->args,
      each(groups_for(tile, tokens, o->widest), parts.size()),
      {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, tile.bk, even, w.bits, w.group_size % 8 == 0, w.offset});
  return true;
}

bool backward_texels(Recorder& rec, const Tensor& dx, const QuantPart& part, bool accumulate) {
  if (!reads_texels(rec, part.w, part.y)) return false;
  const std::uint64_t tokens = dx.shape.rows();
  const GemmTile tile = choose_texel_tile(tokens, 32);
  rec.dispatch("quant_matmul_backward_texels", {dx, part.y, part.w.codes, part.w.grid},
               arguments(part.w, tokens, accumulate), groups_for(tile, tokens, part.w.columns),
               {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, part.w.bits, part.w.offset});
  return true;
}

bool backward_parts(Recorder& rec, const Tensor& dx, std::span<const QuantPart> parts, bool accumulate) {
  const std::uint64_t tokens = dx.shape.rows();
  const auto o = operands(rec, parts, tokens, accumulate);
  if (!o) return false;
  const QuantizedTensor& w = parts[0].w;
  if (const auto tile = choose_matrix_tile(rec, tokens, w.columns)) {
    std::vector<std::uint64_t> widths{w.columns};
    for (const QuantPart& part : parts) widths.push_back(part.w.rows);
    dispatch_matrices(rec, "quant_matmul_backward_coopmat", {dx, o->y, o->codes, o->grid}, o->args, *tile,
                      tokens, w.columns, widths, {w.bits, w.group_size % 8 == 0, w.offset});
    return true;
  }
  const GemmTile tile = choose_tile(rec.device().info(), tokens, w.columns, WeightKind::packed);
  const bool even = std::ranges::all_of(
      parts, [&](const QuantPart& p) { return divides(tile, tokens, w.columns, p.w.rows); });
  rec.dispatch(
      "quant_matmul_backward", {dx, o->y, o->codes, o->grid}, o->args, groups_for(tile, tokens, w.columns),
      {tile.gx * tile.gy, tile.gx, tile.tm, tile.tn, tile.bk, even, w.bits, w.group_size % 8 == 0, w.offset});
  return true;
}

// Matrix units take all parts at once; so do GPUs without, and CPU drivers read texels part by part.
bool takes_parts(Recorder& rec, std::uint64_t rows, std::uint64_t columns) {
  return !rec.device().info().tuning.lane_by_lane || choose_matrix_tile(rec, rows, columns);
}

}  // namespace

void quant_matmul_forward(Recorder& rec, std::span<const QuantPart> parts, const Tensor& x) {
  const std::uint64_t tokens = x.shape.rows();
  for (const auto& [y, w, bias] : parts) {
    expect_weight("quant_matmul_forward", w);
    expect_rows("quant_matmul_forward", "x", x, w.columns, tokens);
    expect_rows("quant_matmul_forward", "y", y, w.rows, tokens);
    if (bias) expect("quant_matmul_forward", "bias", bias, DType::f32, {w.rows});
  }
  const bool together = takes_parts(rec, tokens, parts[0].w.rows);
  if (together && forward_parts(rec, parts, x)) return;
  for (const QuantPart& part : parts)
    if (together || !forward_texels(rec, part, x)) forward_parts(rec, std::span(&part, 1), x);
}

void quant_matmul_backward(Recorder& rec, const Tensor& dx, std::span<const QuantPart> parts,
                           bool accumulate) {
  const std::uint64_t tokens = dx.shape.rows();
  for (const auto& [dy, w, bias] : parts) {
    expect_weight("quant_matmul_backward", w);
    expect_rows("quant_matmul_backward", "dy", dy, w.rows, tokens);
    expect_rows("quant_matmul_backward", "dx", dx, w.columns, tokens);
  }
  const bool together = takes_parts(rec, tokens, parts[0].w.columns);
  if (together && backward_parts(rec, dx, parts, accumulate)) return;
  for (const QuantPart& part : parts) {
    if (together || !backward_texels(rec, dx, part, accumulate))
      backward_parts(rec, dx, std::span(&part, 1), accumulate);
    accumulate = true;
  }
}

void quant_matmul_forward(Recorder& rec, const Tensor& y, const Tensor& x, const QuantizedTensor& w,
                          const Tensor& bias) {
  quant_matmul_forward(rec, std::array{QuantPart{y, w, bias}}, x);
}

void quant_matmul_backward(Recorder& rec, const Tensor& dx, const Tensor& dy, const QuantizedTensor& w,
                           bool accumulate) {
  quant_matmul_backward(rec, dx, std::array{QuantPart{dy, w, {}}}, accumulate);
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
