#include "ops/requantize.h"

#include <cmath>

#include "ops/group_sum.h"
#include "shaders/requantize.h"
#include "tensor/quantized_matrix.h"

namespace walsh {
namespace {

RequantizeArgs arguments(std::string_view op, const FrozenPhi& phi, const Tensor& product,
                         const Tensor& scale, const RequantizeOptions& o) {
  const std::uint64_t rows = phi.rows();
  require(phi.bits >= 2 && phi.bits + phi.fraction <= 8,
          "{}: {} bits and {} after the point, expected a byte", op, phi.bits, phi.fraction);
  require(o.group_size > 0 && phi.columns % o.group_size == 0, "{}: {} columns in groups of {}", op,
          phi.columns, o.group_size);
  const std::uint32_t words = words_per_row(phi.columns, phi.bits + phi.fraction);
  if (phi.dense) {
    require(phi.dense.dtype == DType::f32 || phi.dense.dtype == DType::f16 || phi.dense.dtype == DType::bf16,
            "{}: phi is {}, expected f32, f16 or bf16", op, name_of(phi.dense.dtype));
    expect(op, "phi", phi.dense, phi.dense.dtype, {rows, phi.columns});
  } else {
    expect(op, "phi", phi.packed, DType::u32, {rows, words});
  }
  expect(op, "product", product, DType::f32, {rows, phi.columns});
  expect(op, "scale", scale, DType::f32, {rows, phi.columns / o.group_size});
  if (phi.zeros) expect(op, "zeros", phi.zeros, DType::u32, scale.shape);
  count32(op, product.shape.elements());
  const float steps = std::ldexp(1.0f, static_cast<int>(phi.bits)), lowest = phi.zeros ? 0 : -steps / 2;
  return {static_cast<std::uint32_t>(rows),
          phi.columns,
          o.group_size,
          words,
          lowest,
          lowest + steps - 1,
          std::ldexp(1.0f, -static_cast<int>(phi.fraction)),
          o.scaling};
}

std::uint32_t store_of(const FrozenPhi& phi) {
  if (!phi.dense) return 3;
  return phi.dense.dtype == DType::f32 ? 0 : phi.dense.dtype == DType::f16 ? 1 : 2;
}

bool is_integer(const FrozenPhi& phi) { return !phi.dense && phi.fraction == 0; }

}  // namespace

FrozenPhi FrozenPhi::tile(std::uint64_t first, std::uint64_t count) const {
  FrozenPhi part = *this;
  for (Tensor* tensor : {&part.dense, &part.packed, &part.zeros}) {
    if (*tensor) *tensor = tensor->rows(first, count);
  }
  return part;
}

void requantize_forward(Recorder& rec, const Tensor& w, const FrozenPhi& phi, const Tensor& product,
                        const Tensor& scale, const RequantizeOptions& options) {
  const RequantizeArgs args = arguments("requantize_forward", phi, product, scale, options);
  expect("requantize_forward", "w", w, DType::f32, product.shape);
  rec.dispatch(run_variant("requantize_forward", options.group_size),
               {w, phi.dense ? phi.dense : phi.packed, product, scale, phi.zeros ? phi.zeros : scale}, args,
               groups_for_runs(w.shape.elements(), options.group_size),
               {store_of(phi), phi.bits + phi.fraction, is_integer(phi), options.half_scale,
                static_cast<bool>(phi.zeros)});
}

void requantize_backward(Recorder& rec, const Tensor& g, const Tensor& dscale, const FrozenPhi& phi,
                         const Tensor& product, const Tensor& scale, const RequantizeOptions& options) {
  const RequantizeArgs args = arguments("requantize_backward", phi, product, scale, options);
  expect("requantize_backward", "g", g, DType::f32, product.shape);
  expect("requantize_backward", "dscale", dscale, DType::f32, scale.shape);
  rec.dispatch(run_variant("requantize_backward", options.group_size),
               {g, dscale, phi.dense ? phi.dense : phi.packed, product, scale, phi.zeros ? phi.zeros : scale},
               args, groups_for_sums(scale.shape.elements(), options.group_size),
               {group_lanes(options.group_size), store_of(phi), phi.bits + phi.fraction, is_integer(phi),
                options.half_scale, static_cast<bool>(phi.zeros)});
}

}  // namespace walsh
