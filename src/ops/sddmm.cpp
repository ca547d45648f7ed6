#include "ops/sddmm.h"

#include <algorithm>

#include "shaders/sddmm.h"

namespace walsh {

void sddmm(Recorder& rec, const Tensor& dvalues, const Tensor& dyt, const Tensor& xt, const SparseTensor& f,
           float scale) {
  const std::uint64_t tokens = dyt.shape.back();
  expect("sddmm", "dvalues", dvalues, DType::f32, {f.nonzeros});
  expect("sddmm", "dyt", dyt, DType::f32, {f.rows, tokens});
  expect("sddmm", "xt", xt, DType::f32, {f.columns, tokens});
  count32("sddmm", dyt.shape.elements());
  count32("sddmm", xt.shape.elements());
  const SddmmArgs args{static_cast<std::uint32_t>(tokens), f.nonzeros, f.rows, scale};
  const std::uint32_t tokens_at_once = std::min(8u, ceil_div(tokens, 64));  // of an invocation
  rec.dispatch("sddmm", {dvalues, dyt, xt, f.row_ptr, f.columns_of}, args,
               groups_for_rows(ceil_div(f.nonzeros, 64)), {tokens_at_once});
}

}  // namespace walsh
