#include "ops/fake_quant.h"

#include <algorithm>

#include "base/half.h"
#include "ops/group_sum.h"
#include "shaders/fake_quant.h"

namespace walsh {
namespace {

std::uint32_t weight_type(std::string_view op, const Tensor& base) {
  require(base.dtype == DType::f32 || base.dtype == DType::f16 || base.dtype == DType::bf16,
          "{}: base is {}, expected f32, f16 or bf16", op, name_of(base.dtype));
  return base.dtype == DType::f32 ? 0 : base.dtype == DType::f16 ? 1 : 2;
}

FakeQuantArgs arguments(std::string_view op, const Tensor& base, const Tensor& product, const Tensor& scale,
                        const Tensor& offset, const FakeQuantOptions& o) {
  require(base.shape.rank() == 2, "{}: base has shape {}, expected two axes", op, base.shape.text());
  const std::uint64_t rows = base.shape[0], columns = base.shape[1];
  require(o.bits >= 2 && o.bits <= 8, "{}: {} bits, expected 2 to 8", op, o.bits);
  require(o.group_size > 0 && columns % o.group_size == 0, "{}: {} columns in groups of {}", op, columns,
          o.group_size);
  expect(op, "product", product, DType::f32, base.shape);
  expect(op, "scale", scale, DType::f32, {rows, columns / o.group_size});
  if (offset) expect(op, "offset", offset, DType::f32, scale.shape);
  count32(op, base.shape.elements());
  const float half = static_cast<float>(1u << (o.bits - 1));
  return {static_cast<std::uint32_t>(rows),
          static_cast<std::uint32_t>(columns),
          o.group_size,
          -half,
          half - 1,
          o.alpha,
          o.tolerance,
          o.grad_scale};
}

}  // namespace

StoredAffine stored_affine(float scale, float offset, std::uint32_t bits) {
  const auto half = [](float value) {
    return f16_to_float(float_to_f16(std::clamp(value, -65504.0f, 65504.0f)));
  };
  const float d = std::max(half(scale), 0x1p-14f);
  return {d, half(offset - d * static_cast<float>(1u << (bits - 1)))};
}

void fake_quant_forward(Recorder& rec, const Tensor& w, const Tensor& base, const Tensor& product,
                        const Tensor& scale, const Tensor& offset, const FakeQuantOptions& options) {
  const FakeQuantArgs args = arguments("fake_quant_forward", base, product, scale, offset, options);
  expect("fake_quant_forward", "w", w, DType::f32, base.shape);
  rec.dispatch(run_variant("fake_quant_forward", options.group_size),
               {w, base, product, scale, offset ? offset : scale}, args,
               groups_for_runs(base.shape.elements(), options.group_size),
               {weight_type("fake_quant_forward", base), options.half_grid, static_cast<bool>(offset)});
}

void fake_quant_backward(Recorder& rec, const Tensor& g, const Tensor& dscale, const Tensor& doffset,
                         const Tensor& base, const Tensor& product, const Tensor& scale, const Tensor& offset,
                         const FakeQuantOptions& options) {
  const FakeQuantArgs args = arguments("fake_quant_backward", base, product, scale, offset, options);
  expect("fake_quant_backward", "g", g, DType::f32, base.shape);
  expect("fake_quant_backward", "dscale", dscale, DType::f32, scale.shape);
  if (offset) expect("fake_quant_backward", "doffset", doffset, DType::f32, scale.shape);
  rec.dispatch(run_variant("fake_quant_backward", options.group_size),
               {g, dscale, offset ? doffset : dscale, base, product, scale, offset ? offset : scale}, args,
               groups_for_sums(scale.shape.elements(), options.group_size),
               {group_lanes(options.group_size), weight_type("fake_quant_backward", base), options.half_grid,
                static_cast<bool>(offset)});
}

}  // namespace walsh
