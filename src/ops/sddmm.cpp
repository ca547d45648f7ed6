#include "ops/sddmm.h"

#include "ops/texels.h"
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
  if (tokens % 4 == 0 && prefers_texels(rec.device().info(), {dyt, xt, f.columns_of})) {
    const std::uint32_t quads = tokens % 32 == 0 ? 8 : 1;  // of tokens, of an iteration
    rec.dispatch("sddmm_texels", {dvalues, dyt, xt, f.row_ptr, f.columns_of}, args,
                 groups_for_elements(f.nonzeros, 64), {quads});
    return;
  }
  const std::uint32_t quads = tokens > 256 ? 4 : tokens > 128 ? 2 : 1;  // of tokens, of an invocation
  rec.dispatch(tokens % 4 == 0 ? "sddmm.4" : "sddmm.1", {dvalues, dyt, xt, f.row_ptr, f.columns_of}, args,
               groups_for_rows(ceil_div(f.nonzeros, 64)), {quads});
}

}  // namespace walsh
