#include "ops/attention.h"

#include "ops/attention_matrices.h"
#include "ops/texels.h"

namespace walsh {
namespace {

constexpr std::uint32_t lanes = 8;

/// Constants of a tile, as shaders/lib/attention_tile.glsl declares them, and how many workgroups cover a
/// head.
struct Tile {
  std::uint32_t rows, keys, dims_each;
};

/// A head wider than `widest_slice` is cut into equal slices: what an invocation sums must stay in registers.
Tile make_tile(std::uint64_t head_width, std::uint32_t rows, std::uint32_t keys, std::uint32_t widest_slice) {
  const std::uint32_t slices = ceil_div(head_width, widest_slice);
  return {rows, keys, ceil_div(ceil_div(head_width, slices), lanes)};
}

void dispatch(Recorder& rec, std::string_view kernel, std::initializer_list<vk::Slice> buffers,
              const AttentionArgs& args, const Tile& tile, std::uint32_t tiles) {
  rec.dispatch(kernel, buffers, args,
               Groups{tiles, args.kv_heads, ceil_div(args.width, lanes * tile.dims_each)},
               {tile.rows / lanes, tile.keys / lanes, tile.dims_each});
}

AttentionArgs check(std::string_view op, const Tensor& y, const Tensor& lse, const Tensor& q, const Tensor& k,
                    const Tensor& v, const AttentionRanges& ranges, float scale) {
  require(q.shape.rank() == 3, "{}: q has shape {}, expected [T, H, D]", op, q.shape.text());
  require(k.shape.rank() == 3, "{}: k has shape {}, expected [S, KV, D]", op, k.shape.text());
  const std::uint64_t heads = q.shape[1], width = q.shape[2], kv_heads = k.shape[1];
  require(width >= 8 && width <= 256 && width % 8 == 0,
          "{}: heads are {} wide, expected a multiple of 8 from 8 to 256", op, width);
  require(kv_heads > 0 && heads > 0 && heads % kv_heads == 0,
          "{}: {} query heads on {} KV heads, expected a multiple", op, heads, kv_heads);
  expect(op, "q", q, DType::f32, q.shape);
  expect(op, "k", k, DType::f32, {k.shape[0], kv_heads, width});
  expect(op, "v", v, DType::f32, k.shape);
  expect(op, "y", y, DType::f32, q.shape);
  expect(op, "lse", lse, DType::f32, {q.shape[0], heads});
  expect(op, "key_begin", ranges.key_begin, DType::u32, {q.shape[0]});
  expect(op, "key_end", ranges.key_end, DType::u32, {q.shape[0]});
  count32(op, q.shape.elements());
  count32(op, k.shape.elements());
  return {static_cast<std::uint32_t>(q.shape[0]), static_cast<std::uint32_t>(k.shape[0]),
          static_cast<std::uint32_t>(heads),      static_cast<std::uint32_t>(kv_heads),
          static_cast<std::uint32_t>(width),      scale};
}

/// Workgroups of the kernels without shared memory: `owned` rows or keys a KV head, walking over blocks of
/// `block`.
void dispatch_direct(Recorder& rec, std::string_view kernel, std::initializer_list<vk::Slice> buffers,
                     const AttentionArgs& args, std::uint64_t owned, std::uint32_t block) {
  // What an invocation sums, own_each heads, must stay small enough to compile in seconds. A step of decoding
  // has a row a lane at most.
  const std::uint32_t own_each = owned <= lanes || args.width > 128 ? 1 : args.width > 64 ? 2 : 4;
  rec.dispatch(kernel, buffers, args, Groups{ceil_div(owned, lanes * own_each), args.kv_heads, 1},
               {own_each, block, args.width / 4});
}

// lavapipe (Mesa 22.3) takes every load or store of a buffer or of shared memory lane by lane and word by
// word, about as dear as 50 vector additions, but gathers texels in registers. Measured for 256 tokens, 9
// heads on 3, in GFLOP per second of one core that others share: forward 12 for heads of 64, 11 for 32, 10
// for 128 (0.5 tiled); backward 7 for 64 and 32, 6 for 128 (0.3 tiled). Backward blocks of 8 gain a sixth and
// take half as long again to compile.
AttentionKernels choose_kernels(Recorder& rec, std::initializer_list<vk::Slice> read) {
  return prefers_texels(rec.device().info(), read) ? AttentionKernels::direct : AttentionKernels::tiled;
}

}  // namespace

void attention_forward(Recorder& rec, const Tensor& y, const Tensor& lse, const Tensor& q, const Tensor& k,
                       const Tensor& v, const AttentionRanges& ranges, float scale,
                       std::optional<AttentionKernels> kernels) {
  const AttentionArgs args = check("attention_forward", y, lse, q, k, v, ranges, scale);
  const std::uint64_t rows = q.shape[0] * (args.heads / args.kv_heads);  // of a KV head
  const std::initializer_list<vk::Slice> buffers{y, lse, q, k, v, ranges.key_begin, ranges.key_end};
  if (kernels.value_or(choose_kernels(rec, {q, k, v})) == AttentionKernels::direct) {
    dispatch_direct(rec, "attention_forward_direct", buffers, args, rows, args.width > 64 ? 4 : 8);
    return;
  }
  if (!kernels &&
      dispatch_attention_matrices(rec, "attention_forward", buffers, args, rows, attention_forward_needs))
    return;
  // Tiles of 64 rows leave room for two subgroups of 64 on a SIMD of RDNA3 (204 registers), and spill on
  // smaller GPUs. A step of decoding has one query: a tile of 32 rows would be empty but for its group.
  const Tile tile = make_tile(q.shape[2], rows <= 8 ? 8 : 32, 64, 128);
  dispatch(rec, "attention_forward", buffers, args, tile, ceil_div(rows, tile.rows));
}

void attention_backward(Recorder& rec, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        const Tensor& delta, const Tensor& dy, const Tensor& y, const Tensor& lse,
                        const Tensor& q, const Tensor& k, const Tensor& v, const AttentionRanges& ranges,
                        float scale, std::optional<AttentionKernels> kernels) {
  constexpr std::string_view op = "attention_backward";
  const AttentionArgs args = check(op, y, lse, q, k, v, ranges, scale);
  expect(op, "dq", dq, DType::f32, q.shape);
  expect(op, "dk", dk, DType::f32, k.shape);
  expect(op, "dv", dv, DType::f32, k.shape);
  expect(op, "delta", delta, DType::f32, lse.shape);
  expect(op, "dy", dy, DType::f32, q.shape);
  expect(op, "query_begin", ranges.query_begin, DType::u32, {k.shape[0]});
  expect(op, "query_end", ranges.query_end, DType::u32, {k.shape[0]});

  rec.dispatch("attention_delta", {delta, dy, y}, args, groups_for_elements(lse.shape.elements(), 64));
  const std::initializer_list<vk::Slice> queries_buffers{
      dq, dy, lse, delta, q, k, v, ranges.key_begin, ranges.key_end};
  const std::initializer_list<vk::Slice> keys_buffers{dk,
                                                      dv,
                                                      dy,
                                                      lse,
                                                      delta,
                                                      q,
                                                      k,
                                                      v,
                                                      ranges.key_begin,
                                                      ranges.key_end,
                                                      ranges.query_begin,
                                                      ranges.query_end};
  const std::uint64_t rows = q.shape[0] * (args.heads / args.kv_heads), keys = k.shape[0];
  if (kernels.value_or(choose_kernels(rec, {dy, lse, delta, q, k, v, ranges.key_begin, ranges.key_end})) ==
      AttentionKernels::direct) {
    dispatch_direct(rec, "attention_backward_queries_direct", queries_buffers, args, rows, 4);
    dispatch_direct(rec, "attention_backward_keys_direct", keys_buffers, args, keys, 4);
    return;
  }
  // Two tiles of scores, or two of sums, in registers: half of what a tile of 64 has, so that no compiler
  // spills.
  if (kernels || !dispatch_attention_matrices(rec, "attention_backward_queries", queries_buffers, args, rows,
                                              attention_backward_queries_needs)) {
    const Tile tile = make_tile(q.shape[2], 32, 64, 64);
    dispatch(rec, "attention_backward_queries", queries_buffers, args, tile, ceil_div(rows, tile.rows));
  }
  if (kernels || !dispatch_attention_matrices(rec, "attention_backward_keys", keys_buffers, args, keys,
                                              attention_backward_keys_needs)) {
    const Tile tile = make_tile(q.shape[2], 32, 32, 64);
    dispatch(rec, "attention_backward_keys", keys_buffers, args, tile, ceil_div(keys, tile.keys));
  }
}

}  // namespace walsh
