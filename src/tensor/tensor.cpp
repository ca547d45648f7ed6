#include "tensor/tensor.h"

#include <algorithm>

#include "base/error.h"

namespace walsh {

Shape::Shape(std::initializer_list<std::uint64_t> extents) : rank_(extents.size()) {
  require(rank_ <= extents_.size(), "a shape of {} axes, at most {} are supported", rank_, extents_.size());
  std::copy(extents.begin(), extents.end(), extents_.begin());
}

std::uint64_t Shape::elements() const {
  std::uint64_t product = 1;
  for (std::size_t axis = 0; axis < rank_; ++axis) product *= extents_[axis];
  return product;
}

std::string Shape::text() const {
  std::string out = "[";
  for (std::size_t axis = 0; axis < rank_; ++axis) out += (axis ? ", " : "") + std::to_string(extents_[axis]);
  return out + "]";
}

Tensor Tensor::rows(std::uint64_t first, std::uint64_t count) const {
  require(shape.rank() > 0 && first + count <= shape[0], "rows {} to {} of a tensor {}", first, first + count,
          shape.text());
  const std::uint64_t row_bytes = shape.elements() / shape[0] * size_of(dtype);
  Tensor part = *this;
  // 16-bit tensors end on a whole word of padding, which the part may need.
  const std::uint64_t offset = first * row_bytes;
  part.memory = memory.part(offset, std::min(memory.size - offset, (count * row_bytes + 3) / 4 * 4));
  switch (shape.rank()) {
    case 1:
      part.shape = {count};
      break;
    case 2:
      part.shape = {count, shape[1]};
      break;
    case 3:
      part.shape = {count, shape[1], shape[2]};
      break;
    default:
      part.shape = {count, shape[1], shape[2], shape[3]};
      break;
  }
  return part;
}

Tensor Tensor::view(const Shape& other) const {
  require(other.elements() == shape.elements(), "a view {} of a tensor {}", other.text(), shape.text());
  Tensor result = *this;
  result.shape = other;
  return result;
}

Tensor reserve(vk::Arena& arena, DType dtype, const Shape& shape) {
  const std::uint64_t bytes = (shape.elements() * size_of(dtype) + 3) / 4 * 4;
  return {arena.reserve(bytes), dtype, shape};
}

}  // namespace walsh
