// What a compute module says about itself: bindings and how they are accessed, size of the push constants,
// specialization constants and workgroup size, read from its SPIR-V (Khronos SPIR-V specification, section
// 3).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace walsh::vk {

/// A storage buffer, or one read through the texture path (a uniform texel buffer, `textureBuffer` in GLSL)
/// in elements of four 32-bit words.
enum class BindingKind : std::uint8_t { storage, float_texels, uint_texels };

struct Binding {
  bool reads = true;
  bool writes = true;
  BindingKind kind = BindingKind::storage;
};

struct ModuleInterface {
  std::vector<Binding> bindings;            // set 0, binding 0, 1, ... without a gap
  std::uint32_t push_bytes = 0;             // 0: no push constants
  bool counts_groups = false;               // reads gl_NumWorkGroups
  std::vector<std::uint32_t> constant_ids;  // specialization constants, ascending
  std::array<std::uint32_t, 3> local_size{1, 1, 1};
  std::array<std::int64_t, 3> local_size_id{-1, -1, -1};  // the constant that overrides local_size, or -1
};

/// Refuses a module that breaks walsh's conventions, naming it: bindings with gaps, push constants that are
/// not 4-byte scalars or arrays of them, or exceed 128 bytes.
ModuleInterface reflect(std::string_view name, std::span<const std::uint32_t> spirv);

}  // namespace walsh::vk
