#include "ops/plain_matmul.h"

#include "shaders/plain_matmul.h"

namespace walsh {

void plain_matmul(Recorder& rec, const Tensor& y, const Tensor& x, const Tensor& w) {
  const char* op = "plain_matmul";
  require(x.shape.rank() == 2 && w.shape.rank() == 2,
          "{}: x has shape {} and w {}, expected [T, n] and [m, n]", op, x.shape.text(), w.shape.text());
  const std::uint64_t tokens = x.shape[0], n = x.shape[1], m = w.shape[0];
  require(n % 4 == 0, "{}: n is {}, expected a multiple of 4", op, n);
  expect(op, "y", y, DType::f32, {tokens, m});
  expect(op, "x", x, DType::f32, {tokens, n});
  expect(op, "w", w, DType::f32, {m, n});
  count32(op, x.shape.elements());
  count32(op, w.shape.elements());
  const PlainMatmulArgs args{count32(op, tokens), count32(op, n / 4), count32(op, m)};
  rec.dispatch(op, {y, x, w}, args, {count32(op, (m + 63) / 64), count32(op, (tokens + 63) / 64), 1});
}

}  // namespace walsh
