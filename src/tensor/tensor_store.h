// Small tensors filled from the host, each in memory of its own: for tests, doctor, bench and calibration,
// where what is needed is not known ahead. Training's tensors come from planned arenas instead.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/tensor.h"
#include "vk/device.h"

namespace walsh {

class TensorStore {
 public:
  explicit TensorStore(vk::Device& device) : device_(device) {}

  Tensor f32(const Shape& shape, const std::vector<float>& values);
  Tensor u32(const Shape& shape, const std::vector<std::uint32_t>& values);
  Tensor i32(const Shape& shape, const std::vector<std::int32_t>& values);
  /// Rounded to 16 bits (f16 or bf16).
  Tensor half(DType dtype, const Shape& shape, const std::vector<float>& values);
  Tensor zeros(const Shape& shape);
  /// Filled with NaN, so that an element that a kernel forgets to write is seen.
  Tensor empty(const Shape& shape);

  std::vector<float> read(const Tensor& tensor) { return device_.download<float>(tensor); }
  vk::Device& device() { return device_; }

 private:
  Tensor place(DType dtype, const Shape& shape, const void* bytes, std::uint64_t size);

  vk::Device& device_;
  std::vector<std::unique_ptr<vk::Arena>> arenas_;
};

/// Standard normal values, the same for the same seed.
std::vector<float> normal(std::size_t count, std::uint64_t seed);

}  // namespace walsh
