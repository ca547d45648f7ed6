#include "ops/peqa.h"

#include "shaders/peqa.h"

namespace walsh {
namespace {

PeqaArgs arguments(const QuantizedTensor& w) {
  return {.tokens = 0,
          .rows = w.rows,
          .columns = w.columns,
          .words_per_row = words_per_row(w.columns, w.bits),
          .group_size = w.group_size,
          .first = 0,
          .count = 0};
}

void expect_offset(std::string_view op, std::string_view name, const Tensor& offset,
                   const QuantizedTensor& w) {
  require(w.offset, "{}: {} for a grid of integer zeros", op, name);
  expect(op, name, offset, DType::f32, {w.rows, w.columns / w.group_size});
}

}  // namespace

void peqa_grid(Recorder& rec, const QuantizedTensor& w, const Tensor& scale, const Tensor& offset) {
  const std::uint32_t groups = w.columns / w.group_size;
  expect("peqa_grid", "grid", w.grid, DType::u32, {w.rows, groups});
  expect("peqa_grid", "scale", scale, DType::f32, {w.rows, groups});
  if (offset) expect_offset("peqa_grid", "offset", offset, w);
  rec.dispatch("peqa_grid", {w.grid, scale, offset ? offset : scale}, arguments(w),
               groups_for_elements(count32("peqa_grid", scale.shape.elements())),
               {static_cast<bool>(offset)});
}

void peqa_scale_channel(Recorder& rec, const Tensor& ds, const Tensor& dy, const Tensor& u) {
  const std::uint64_t tokens = dy.shape.rows(), m = dy.shape.back();
  expect("peqa_scale_channel", "ds", ds, DType::f32, {m, 1});
  expect("peqa_scale_channel", "dy", dy, DType::f32, {tokens, m});
  expect("peqa_scale_channel", "u", u, DType::f32, {tokens, m});
  PeqaArgs args{};
  args.tokens = count32("peqa_scale_channel", tokens);
  args.rows = count32("peqa_scale_channel", m);
  count32("peqa_scale_channel", tokens * m);
  rec.dispatch("peqa_scale_channel", {ds, dy, u}, args, groups_for_elements(m, 64));
}

void peqa_scale_group(Recorder& rec, const Tensor& ds, const Tensor& doffset, const Tensor& g,
                      const QuantizedTensor& w, std::uint32_t first) {
  const std::uint64_t rows = g.shape.rows();
  const std::uint32_t groups = w.columns / w.group_size;
  expect("peqa_scale_group", "ds", ds, DType::f32, {w.rows, groups});
  expect("peqa_scale_group", "g", g, DType::f32, {rows, w.columns});
  expect("peqa_scale_group", "codes", w.codes, DType::u32, {w.rows, words_per_row(w.columns, w.bits)});
  expect("peqa_scale_group", "grid", w.grid, DType::u32, {w.rows, groups});
  if (doffset) expect_offset("peqa_scale_group", "doffset", doffset, w);
  require(first + rows <= w.rows, "peqa_scale_group: rows {} to {} of {}", first, first + rows, w.rows);
  count32("peqa_scale_group", g.shape.elements());
  PeqaArgs args = arguments(w);
  args.first = first;
  args.count = static_cast<std::uint32_t>(rows);
  rec.dispatch("peqa_scale_group", {ds, doffset ? doffset : ds, g, w.codes, w.grid}, args,
               groups_for_elements(rows * groups, 64), {w.bits, w.offset, static_cast<bool>(doffset)});
}

}  // namespace walsh
