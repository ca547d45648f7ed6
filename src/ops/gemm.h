// The tiling of shaders/lib/gemm.glsl: C [rows, columns], workgroups of gx × gy invocations, tm × tn results
// each.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "ops/op.h"

namespace walsh {

struct GemmTile {
  std::uint32_t gx, gy, tm, tn;
  std::uint32_t bk;  // 0: no staging in shared memory

  std::uint32_t rows() const { return gy * tm; }
  std::uint32_t columns() const { return gx * tn; }
};

enum class WeightKind : std::uint8_t { dense, packed };

/// The tile for a product of this size on this device; every choice of tile is in gemm.cpp.
GemmTile choose_tile(const vk::DeviceInfo& device, std::uint64_t rows, std::uint64_t columns,
                     WeightKind weight);

/// Whether the product runs in the kernels of shaders/lib/gemm_texels.glsl: where texels are preferred
/// (ops/texels.h) and every width is a multiple of 8.
bool reads_texels(const vk::DeviceInfo& device, std::initializer_list<std::uint64_t> widths,
                  std::initializer_list<vk::Slice> operands);

/// The tile of those kernels. `tn`: columns of an invocation, which the kernel's fetches determine.
GemmTile choose_texel_tile(std::uint64_t rows, std::uint32_t tn);

/// Whether no tile hangs over an edge.
bool divides(const GemmTile& tile, std::uint64_t rows, std::uint64_t columns, std::uint64_t depth);

/// Workgroups of the product.
Groups groups_for(const GemmTile& tile, std::uint64_t rows, std::uint64_t columns);

/// Refuses unless `tensor` is f32 with `width` elements on the last axis and `rows` on all others together.
void expect_rows(std::string_view op, std::string_view name, const Tensor& tensor, std::uint64_t width,
                 std::uint64_t rows);

}  // namespace walsh
