#include "ops/cross_entropy.h"

#include "shaders/cross_entropy.h"

namespace walsh {

void cross_entropy(Recorder& rec, const Tensor& loss, const Tensor& logits, const Tensor& targets,
                   const Tensor& loss_scale, bool gradient) {
  const char* op = "cross_entropy";
  require(logits.shape.rank() == 2, "{}: logits has shape {}, expected [R, V]", op, logits.shape.text());
  const std::uint64_t rows = logits.shape[0];
  expect(op, "loss", loss, DType::f32, {rows});
  expect(op, "logits", logits, DType::f32, logits.shape);
  expect(op, "targets", targets, DType::i32, {rows});
  count32(op, logits.shape.elements());
  const CrossEntropyArgs args{count32(op, rows), count32(op, logits.shape[1])};
  if (gradient) {
    expect(op, "loss_scale", loss_scale, DType::f32, {1});
    rec.dispatch("cross_entropy.1", {loss, logits, targets, loss_scale}, args, groups_for_rows(rows));
  } else {
    rec.dispatch("cross_entropy.0", {loss, logits, targets}, args, groups_for_rows(rows));
  }
}

}  // namespace walsh
