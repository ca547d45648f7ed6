#include "ops/spmm.h"

#include <array>

#include "ops/parts.h"
#include "ops/texels.h"
#include "shaders/spmm.h"

namespace walsh {
namespace {

enum class Direction : std::uint8_t { forward, backward };

// The parts by texels, each on its own.
bool multiply_texels(Recorder& rec, Direction direction, const Tensor& y, const Tensor& xt,
                     const SparsePart& part, bool accumulate) {
  const bool permuted = direction == Direction::backward;
  const std::uint64_t tokens = y.shape.rows(), outputs = y.shape.back();
  const Tensor &pointer = permuted ? part.f.column_ptr : part.f.row_ptr,
               &index = permuted ? part.f.rows_of : part.f.columns_of;
  if (tokens % 4 != 0 ||
      !prefers_texels(rec.device().info(), {y, xt, part.values, index, part.f.permutation}))
    return false;
  SpmmArgs args{};
  args.tokens = static_cast<std::uint32_t>(tokens);
  args.accumulate = accumulate;
  args.summed = 1;
  args.outputs[0] = static_cast<std::uint32_t>(outputs);
  args.scale[0] = part.scale;
  const std::uint32_t quads = std::min(ceil_div(tokens, 32), 8u);  // of tokens, of an invocation
  rec.dispatch("spmm_texels", {y, xt, part.values, pointer, index, part.f.permutation, y}, args,
               groups_for_elements(outputs * ceil_div(tokens / 4, quads), 64), {permuted, quads});
  return true;
}

// All parts in one dispatch, if one binding covers what each has.
bool multiply_parts(Recorder& rec, Direction direction, const Tensor& shared,
                    std::span<const SparsePart> parts, bool accumulate) {
  const bool permuted = direction == Direction::backward;
  if (parts.size() > MOST_PARTS) return false;
  const std::uint64_t tokens = permuted ? shared.shape.rows() : shared.shape.back();
  SpmmArgs args{};
  args.tokens = static_cast<std::uint32_t>(tokens);
  args.accumulate = accumulate;
  args.summed = permuted ? static_cast<std::uint32_t>(parts.size()) : 1;
  std::uint32_t widest = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    args.outputs[i] = permuted ? parts[i].f.columns : parts[i].f.rows;
    args.scale[i] = parts[i].scale;
    widest = std::max(widest, args.outputs[i]);
  }
  const auto outputs = cover(
      rec, parts, [](const SparsePart& p) -> vk::Slice { return p.outputs; },
      permuted ? args.xt_at : args.y_at);
  const auto values = cover(
      rec, parts, [](const SparsePart& p) -> vk::Slice { return p.values; }, args.values_at);
  const auto pointer = cover(
      rec, parts, [&](const SparsePart& p) -> vk::Slice { return permuted ? p.f.column_ptr : p.f.row_ptr; },
      args.pointer_at);
  const auto index = cover(
      rec, parts, [&](const SparsePart& p) -> vk::Slice { return permuted ? p.f.rows_of : p.f.columns_of; },
      args.index_at);
  const auto permutation = cover(
      rec, parts, [](const SparsePart& p) -> vk::Slice { return p.f.permutation; }, args.permutation_at);
  if (!outputs || !values || !pointer || !index || !permutation) return false;
  const vk::Slice y = permuted ? shared.memory : *outputs, xt = permuted ? *outputs : shared.memory;
  const std::uint32_t quads = tokens > 256 ? 4 : tokens > 128 ? 2 : 1;  // of tokens, of an invocation
  const std::uint32_t outputs_at_once = 4 / quads;
  const Groups groups =
      groups_for_rows(std::uint64_t{ceil_div(tokens, 128 * quads)} * ceil_div(widest, 8 * outputs_at_once));
  rec.dispatch(tokens % 4 == 0 ? "spmm.4" : "spmm.1", {y, xt, *values, *pointer, *index, *permutation}, args,
               each(groups, permuted ? 1 : parts.size()), {permuted, quads, outputs_at_once});
  return true;
}

void multiply(Recorder& rec, Direction direction, const Tensor& shared, std::span<const SparsePart> parts,
              bool accumulate) {
  const bool permuted = direction == Direction::backward;
  if (!rec.device().info().tuning.lane_by_lane && multiply_parts(rec, direction, shared, parts, accumulate))
    return;
  for (const SparsePart& part : parts) {
    const Tensor &y = permuted ? shared : part.outputs, &xt = permuted ? part.outputs : shared;
    if (!multiply_texels(rec, direction, y, xt, part, accumulate))
      multiply_parts(rec, direction, shared, std::span(&part, 1), accumulate);
    accumulate = accumulate || permuted;
  }
}

}  // namespace

void spmm_forward(Recorder& rec, std::span<const SparsePart> parts, const Tensor& xt, bool accumulate) {
  for (const SparsePart& part : parts) {
    const std::uint64_t tokens = xt.shape.back();
    expect("spmm_forward", "xt", xt, DType::f32, {part.f.columns, tokens});
    expect("spmm_forward", "y", part.outputs, DType::f32, {tokens, part.f.rows});
    expect("spmm_forward", "values", part.values, DType::f32, {part.f.nonzeros});
    count32("spmm", part.outputs.shape.elements());
  }
  count32("spmm", xt.shape.elements());
  multiply(rec, Direction::forward, xt, parts, accumulate);
}

void spmm_backward(Recorder& rec, const Tensor& dx, std::span<const SparsePart> parts, bool accumulate) {
  for (const SparsePart& part : parts) {
    const std::uint64_t tokens = dx.shape.rows();
    expect("spmm_backward", "dx", dx, DType::f32, {tokens, part.f.columns});
    expect("spmm_backward", "dyt", part.outputs, DType::f32, {part.f.rows, tokens});
    expect("spmm_backward", "values", part.values, DType::f32, {part.f.nonzeros});
    count32("spmm", part.outputs.shape.elements());
  }
  count32("spmm", dx.shape.elements());
  multiply(rec, Direction::backward, dx, parts, accumulate);
}

void spmm_forward(Recorder& rec, const Tensor& y, const Tensor& xt, const Tensor& values,
                  const SparseTensor& f, float scale, bool accumulate) {
  spmm_forward(rec, std::array{SparsePart{y, values, f, scale}}, xt, accumulate);
}

void spmm_backward(Recorder& rec, const Tensor& dx, const Tensor& dyt, const Tensor& values,
                   const SparseTensor& f, float scale, bool accumulate) {
  spmm_backward(rec, dx, std::array{SparsePart{dyt, values, f, scale}}, accumulate);
}

}  // namespace walsh
