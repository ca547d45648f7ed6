#include "ops/rope.h"

#include "ops/parts.h"
#include "shaders/rope.h"

namespace walsh {
namespace {

bool rotate_parts(Recorder& rec, std::string_view op, std::span<const Tensor> parts, const Tensor& positions,
                  const Tensor& inverse_frequencies) {
  if (parts.size() > MOST_PARTS) return false;
  RopeArgs args{};
  args.tokens = static_cast<std::uint32_t>(parts[0].shape[0]);
  args.width = static_cast<std::uint32_t>(parts[0].shape[2]);
  for (std::size_t i = 0; i < parts.size(); ++i)
    args.heads[i] = static_cast<std::uint32_t>(parts[i].shape[1]);
  const auto x = cover(
      rec, parts, [](const Tensor& part) -> vk::Slice { return part; }, args.x_at);
  if (!x) return false;
  rec.dispatch(op, {*x, positions, inverse_frequencies}, args,
               each(groups_for_elements(std::uint64_t{args.tokens} * args.width / 2, 64), parts.size()));
  return true;
}

void rotate(Recorder& rec, std::string_view op, std::string_view name, std::span<const Tensor> parts,
            const Tensor& positions, const Tensor& inverse_frequencies) {
  for (const Tensor& x : parts) {
    require(x.shape.rank() == 3, "{}: {} has shape {}, expected [T, H, D]", op, name, x.shape.text());
    const std::uint64_t tokens = parts[0].shape[0], width = parts[0].shape[2];
    require(width > 0 && width % 2 == 0, "{}: heads are {} wide, expected an even width", op, width);
    expect(op, name, x, DType::f32, {tokens, x.shape[1], width});
    expect(op, "positions", positions, DType::u32, {tokens});
    expect(op, "inverse_frequencies", inverse_frequencies, DType::f32, {width / 2});
    count32(op, x.shape.elements());
  }
  if (rotate_parts(rec, op, parts, positions, inverse_frequencies)) return;
  for (const Tensor& part : parts) rotate_parts(rec, op, std::span(&part, 1), positions, inverse_frequencies);
}

}  // namespace

void rope_forward(Recorder& rec, std::span<const Tensor> x, const Tensor& positions,
                  const Tensor& inverse_frequencies) {
  rotate(rec, "rope_forward", "x", x, positions, inverse_frequencies);
}

void rope_backward(Recorder& rec, std::span<const Tensor> dx, const Tensor& positions,
                   const Tensor& inverse_frequencies) {
  rotate(rec, "rope_backward", "dx", dx, positions, inverse_frequencies);
}

}  // namespace walsh
