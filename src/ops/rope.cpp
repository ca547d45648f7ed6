#include "ops/rope.h"

#include "shaders/rope.h"

namespace walsh {
namespace {

void rotate(Recorder& rec, std::string_view op, std::string_view name, const Tensor& x,
            const Tensor& positions, const Tensor& inverse_frequencies) {
  require(x.shape.rank() == 3, "{}: {} has shape {}, expected [T, H, D]", op, name, x.shape.text());
  const std::uint64_t tokens = x.shape[0], width = x.shape[2];
  require(width > 0 && width % 2 == 0, "{}: heads are {} wide, expected an even width", op, width);
  expect(op, name, x, DType::f32, x.shape);
  expect(op, "positions", positions, DType::u32, {tokens});
  expect(op, "inverse_frequencies", inverse_frequencies, DType::f32, {width / 2});
  count32(op, x.shape.elements());
  const RopeArgs args{static_cast<std::uint32_t>(tokens), static_cast<std::uint32_t>(x.shape[1]),
                      static_cast<std::uint32_t>(width)};
  rec.dispatch(op, {x, positions, inverse_frequencies}, args, groups_for_elements(tokens * width / 2, 64));
}

}  // namespace

void rope_forward(Recorder& rec, const Tensor& x, const Tensor& positions,
                  const Tensor& inverse_frequencies) {
  rotate(rec, "rope_forward", "x", x, positions, inverse_frequencies);
}

void rope_backward(Recorder& rec, const Tensor& dx, const Tensor& positions,
                   const Tensor& inverse_frequencies) {
  rotate(rec, "rope_backward", "dx", dx, positions, inverse_frequencies);
}

}  // namespace walsh
