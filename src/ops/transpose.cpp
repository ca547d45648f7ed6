#include "ops/transpose.h"

#include <array>

#include "ops/parts.h"
#include "ops/texels.h"
#include "shaders/transpose.h"

namespace walsh {
namespace {

bool transpose_texels(Recorder& rec, const Transposition& part) {
  const std::uint64_t rows = part.x.shape.rows(), columns = part.x.shape.back();
  if (columns % 4 != 0 || !prefers_texels(rec.device().info(), {part.x})) return false;
  TransposeArgs args{};
  args.rows = static_cast<std::uint32_t>(rows);
  args.columns[0] = static_cast<std::uint32_t>(columns);
  rec.dispatch("transpose_texels", {part.y, part.x}, args, groups_for_elements(rows * columns / 4));
  return true;
}

// All parts in one dispatch, if one binding covers what each has.
bool transpose_parts(Recorder& rec, std::span<const Transposition> parts) {
  if (parts.size() > MOST_PARTS) return false;
  TransposeArgs args{};
  args.rows = static_cast<std::uint32_t>(parts[0].x.shape.rows());
  std::uint32_t widest = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    args.columns[i] = static_cast<std::uint32_t>(parts[i].x.shape.back());
    widest = std::max(widest, args.columns[i]);
  }
  const auto x = cover(
      rec, parts, [](const Transposition& p) -> vk::Slice { return p.x; }, args.x_at);
  const auto y = cover(
      rec, parts, [](const Transposition& p) -> vk::Slice { return p.y; }, args.y_at);
  if (!x || !y) return false;
  const Groups groups = groups_for_rows(std::uint64_t{ceil_div(args.rows, 32)} * ceil_div(widest, 32));
  rec.dispatch("transpose", {*y, *x}, args, each(groups, parts.size()));
  return true;
}

}  // namespace

void transpose(Recorder& rec, std::span<const Transposition> parts) {
  for (const auto& [y, x] : parts) {
    const std::uint64_t rows = parts[0].x.shape.rows(), columns = x.shape.back();
    expect("transpose", "x", x, DType::f32, {rows, columns});
    expect("transpose", "y", y, DType::f32, {columns, rows});
    count32("transpose", x.shape.elements());
  }
  if (!rec.device().info().tuning.lane_by_lane && transpose_parts(rec, parts)) return;
  for (const Transposition& part : parts)
    if (!transpose_texels(rec, part)) transpose_parts(rec, std::span(&part, 1));
}

void transpose(Recorder& rec, const Tensor& y, const Tensor& x) {
  transpose(rec, std::array{Transposition{y, x}});
}

}  // namespace walsh
