// A tensor is a view: a slice of device memory, an element type and a shape, row-major, contiguous.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "tensor/dtype.h"
#include "vk/memory.h"

namespace walsh {

/// Up to four extents, outermost first.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::uint64_t> extents);

  std::size_t rank() const { return rank_; }
  std::uint64_t operator[](std::size_t axis) const { return extents_[axis]; }
  std::uint64_t back() const { return rank_ > 0 ? extents_[rank_ - 1] : 1; }
  std::uint64_t elements() const;
  /// Product of all extents but the last.
  std::uint64_t rows() const { return back() > 0 ? elements() / back() : 0; }
  std::string text() const;  // "[2, 64]"

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::uint64_t, 4> extents_{};
  std::size_t rank_ = 0;
};

struct Tensor {
  vk::Slice memory;
  DType dtype = DType::f32;
  Shape shape;

  explicit operator bool() const { return static_cast<bool>(memory); }
  operator vk::Slice() const { return memory; }  // NOLINT: a tensor stands for its memory in a dispatch

  /// Rows [first, first + count) of the outermost axis.
  Tensor rows(std::uint64_t first, std::uint64_t count) const;
  /// The same memory under another shape of as many elements.
  Tensor view(const Shape& other) const;
};

/// Room for a tensor in an arena. 16-bit elements are padded to whole words.
Tensor reserve(vk::Arena& arena, DType dtype, const Shape& shape);

}  // namespace walsh
