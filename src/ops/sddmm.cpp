#include "ops/sddmm.h"

#include <array>

#include "ops/parts.h"
#include "ops/texels.h"
#include "shaders/sddmm.h"

namespace walsh {
namespace {

bool sample_texels(Recorder& rec, const SparsePart& part, const Tensor& xt) {
  const std::uint64_t tokens = xt.shape.back();
  const SparseTensor& f = part.f;
  if (tokens % 4 != 0 || !prefers_texels(rec.device().info(), {part.outputs, xt, f.columns_of})) return false;
  SddmmArgs args{};
  args.tokens = static_cast<std::uint32_t>(tokens);
  args.nonzeros[0] = f.nonzeros;
  args.rows[0] = f.rows;
  args.scale[0] = part.scale;
  const std::uint32_t quads = tokens % 32 == 0 ? 8 : 1;  // of tokens, of an iteration
  rec.dispatch("sddmm_texels", {part.values, part.outputs, xt, f.row_ptr, f.columns_of}, args,
               groups_for_elements(f.nonzeros, 64), {quads});
  return true;
}

// All parts in one dispatch, if one binding covers what each has.
bool sample_parts(Recorder& rec, std::span<const SparsePart> parts, const Tensor& xt) {
  if (parts.size() > MOST_PARTS) return false;
  const std::uint64_t tokens = xt.shape.back();
  SddmmArgs args{};
  args.tokens = static_cast<std::uint32_t>(tokens);
  std::uint32_t most = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    args.nonzeros[i] = parts[i].f.nonzeros;
    args.rows[i] = parts[i].f.rows;
    args.scale[i] = parts[i].scale;
    most = std::max(most, args.nonzeros[i]);
  }
  const auto values = cover(
      rec, parts, [](const SparsePart& p) -> vk::Slice { return p.values; }, args.values_at);
  const auto dyt = cover(
      rec, parts, [](const SparsePart& p) -> vk::Slice { return p.outputs; }, args.dyt_at);
  const auto pointer = cover(
      rec, parts, [](const SparsePart& p) -> vk::Slice { return p.f.row_ptr; }, args.pointer_at);
  const auto index = cover(
      rec, parts, [](const SparsePart& p) -> vk::Slice { return p.f.columns_of; }, args.index_at);
  if (!values || !dyt || !pointer || !index) return false;
  const std::uint32_t quads = tokens > 256 ? 4 : tokens > 128 ? 2 : 1;  // of tokens, of an invocation
  rec.dispatch(tokens % 4 == 0 ? "sddmm.4" : "sddmm.1", {*values, *dyt, xt, *pointer, *index}, args,
               each(groups_for_rows(ceil_div(most, 64)), parts.size()), {quads});
  return true;
}

}  // namespace

void sddmm(Recorder& rec, std::span<const SparsePart> parts, const Tensor& xt) {
  for (const SparsePart& part : parts) {
    const std::uint64_t tokens = xt.shape.back();
    expect("sddmm", "xt", xt, DType::f32, {part.f.columns, tokens});
    expect("sddmm", "dvalues", part.values, DType::f32, {part.f.nonzeros});
    expect("sddmm", "dyt", part.outputs, DType::f32, {part.f.rows, tokens});
    count32("sddmm", part.outputs.shape.elements());
  }
  count32("sddmm", xt.shape.elements());
  if (!rec.device().info().tuning.lane_by_lane && sample_parts(rec, parts, xt)) return;
  for (const SparsePart& part : parts)
    if (!sample_texels(rec, part, xt)) sample_parts(rec, std::span(&part, 1), xt);
}

void sddmm(Recorder& rec, const Tensor& dvalues, const Tensor& dyt, const Tensor& xt, const SparseTensor& f,
           float scale) {
  sddmm(rec, std::array{SparsePart{dyt, dvalues, f, scale}}, xt);
}

}  // namespace walsh
