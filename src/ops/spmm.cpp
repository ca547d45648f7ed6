#include "ops/spmm.h"

#include "ops/texels.h"
#include "shaders/spmm.h"

namespace walsh {
namespace {

void multiply(Recorder& rec, const Tensor& y, const Tensor& xt, const Tensor& values, const Tensor& pointer,
              const Tensor& index, const Tensor& permutation, bool permuted, float scale, bool accumulate) {
  const std::uint64_t tokens = y.shape.rows(), outputs = y.shape.back();
  count32("spmm", y.shape.elements());
  count32("spmm", xt.shape.elements());
  const SpmmArgs args{static_cast<std::uint32_t>(tokens), static_cast<std::uint32_t>(outputs), accumulate,
                      scale};
  if (tokens % 4 == 0 && prefers_texels(rec.device().info(), {y, xt, values, index, permutation})) {
    const std::uint32_t quads = std::min(ceil_div(tokens, 32), 8u);  // of tokens, of an invocation
    rec.dispatch("spmm_texels", {y, xt, values, pointer, index, permutation, y}, args,
                 groups_for_elements(outputs * ceil_div(tokens / 4, quads), 64), {permuted, quads});
    return;
  }
  const std::uint32_t quads = tokens > 256 ? 4 : tokens > 128 ? 2 : 1;  // of tokens, of an invocation
  const std::uint32_t outputs_at_once = 4 / quads;
  rec.dispatch(
      tokens % 4 == 0 ? "spmm.4" : "spmm.1", {y, xt, values, pointer, index, permutation}, args,
      groups_for_rows(std::uint64_t{ceil_div(tokens, 128 * quads)} * ceil_div(outputs, 8 * outputs_at_once)),
      {permuted, quads, outputs_at_once});
}

}  // namespace

void spmm_forward(Recorder& rec, const Tensor& y, const Tensor& xt, const Tensor& values,
                  const SparseTensor& f, float scale, bool accumulate) {
  expect("spmm_forward", "y", y, DType::f32, {y.shape.rows(), f.rows});
  expect("spmm_forward", "xt", xt, DType::f32, {f.columns, y.shape.rows()});
  expect("spmm_forward", "values", values, DType::f32, {f.nonzeros});
  multiply(rec, y, xt, values, f.row_ptr, f.columns_of, f.permutation, false, scale, accumulate);
}

void spmm_backward(Recorder& rec, const Tensor& dx, const Tensor& dyt, const Tensor& values,
                   const SparseTensor& f, float scale, bool accumulate) {
  expect("spmm_backward", "dx", dx, DType::f32, {dx.shape.rows(), f.columns});
  expect("spmm_backward", "dyt", dyt, DType::f32, {f.rows, dx.shape.rows()});
  expect("spmm_backward", "values", values, DType::f32, {f.nonzeros});
  multiply(rec, dx, dyt, values, f.column_ptr, f.rows_of, f.permutation, true, scale, accumulate);
}

}  // namespace walsh
