// What every op's host side uses: argument checks that name op, tensor, found and expected, and workgroup
// counts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <glm/vec2.hpp>
#include <string_view>

#include "base/error.h"
#include "tensor/tensor.h"
#include "vk/recorder.h"

using uint = unsigned int;  // of the structs in shaders/*.h; glibc has it, other C libraries do not

namespace walsh {

using vk::Groups;
using vk::Recorder;

/// Refuses unless `tensor` has this type and shape.
inline void expect(std::string_view op, std::string_view name, const Tensor& tensor, DType dtype,
                   const Shape& shape) {
  require(static_cast<bool>(tensor), "{}: {} is missing", op, name);
  require(tensor.dtype == dtype, "{}: {} is {}, expected {}", op, name, name_of(tensor.dtype),
          name_of(dtype));
  require(tensor.shape == shape, "{}: {} has shape {}, expected {}", op, name, tensor.shape.text(),
          shape.text());
}

/// `n` as the 32-bit count that kernels use; refuses more.
inline std::uint32_t count32(std::string_view op, std::uint64_t n) {
  require(n <= 0xffffffffu, "{}: {} elements, kernels count with 32 bits", op, n);
  return static_cast<std::uint32_t>(n);
}

constexpr std::uint32_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint32_t>((a + b - 1) / b);
}

/// One workgroup a row, folded onto two axes because an axis may stop at 65535: see lib/index.glsl,
/// row_index().
inline Groups groups_for_rows(std::uint64_t rows) {
  const std::uint32_t x = static_cast<std::uint32_t>(std::min<std::uint64_t>(rows, 32768));
  return {x, ceil_div(rows, x), 1};
}

/// One invocation an element: see lib/index.glsl, element_index(workgroup).
inline Groups groups_for_elements(std::uint64_t elements, std::uint32_t workgroup = 256) {
  return groups_for_rows(ceil_div(elements, workgroup));
}

/// One workgroup a tile of a [rows, columns] result: x counts column tiles, y row tiles.
inline Groups groups_for_tiles(glm::uvec2 columns_rows, glm::uvec2 tile) {
  const glm::uvec2 tiles = (columns_rows + tile - 1u) / tile;
  return {tiles.x, tiles.y, 1};
}

}  // namespace walsh
