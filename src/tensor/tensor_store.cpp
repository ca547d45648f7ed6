#include "tensor/tensor_store.h"

#include <limits>

#include "base/error.h"
#include "base/half.h"
#include "base/philox.h"

namespace walsh {

Tensor TensorStore::place(DType dtype, const Shape& shape, const void* bytes, std::uint64_t size) {
  require(size == shape.elements() * size_of(dtype), "{} bytes for a tensor {} of {}", size, shape.text(),
          name_of(dtype));
  arenas_.push_back(std::make_unique<vk::Arena>("tensor store"));
  const Tensor tensor = reserve(*arenas_.back(), dtype, shape);
  arenas_.back()->commit(device_);
  device_.upload(tensor, bytes, size);
  return tensor;
}

Tensor TensorStore::f32(const Shape& shape, const std::vector<float>& values) {
  return place(DType::f32, shape, values.data(), values.size() * 4);
}

Tensor TensorStore::u32(const Shape& shape, const std::vector<std::uint32_t>& values) {
  return place(DType::u32, shape, values.data(), values.size() * 4);
}

Tensor TensorStore::i32(const Shape& shape, const std::vector<std::int32_t>& values) {
  return place(DType::i32, shape, values.data(), values.size() * 4);
}

Tensor TensorStore::half(DType dtype, const Shape& shape, const std::vector<float>& values) {
  std::vector<std::uint16_t> halves;
  for (const float value : values)
    halves.push_back(dtype == DType::f16 ? float_to_f16(value) : float_to_bf16(value));
  return place(dtype, shape, halves.data(), halves.size() * 2);
}

Tensor TensorStore::zeros(const Shape& shape) {
  return f32(shape, std::vector<float>(shape.elements(), 0.0f));
}

Tensor TensorStore::empty(const Shape& shape) {
  return f32(shape, std::vector<float>(shape.elements(), std::numeric_limits<float>::quiet_NaN()));
}

std::vector<float> normal(std::size_t count, std::uint64_t seed) {
  Philox random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = random.normal();
  return values;
}

}  // namespace walsh
