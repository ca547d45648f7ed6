// Attention on matrix units: the tiling of shaders/lib/attention_coopmat.glsl, and when it runs there.
#pragma once

#include <optional>
#include <string>

#include "ops/matrix_tile.h"
#include "shaders/attention.h"

namespace walsh {

struct AttentionMatrixTile {
  vk::Precision operands;
  vk::MatrixShape shape;
  std::uint32_t subgroup;                         // invocations of one
  std::uint32_t subgroup_rows, subgroup_columns;  // of a workgroup
  std::uint32_t owned, walked;                    // rows or keys

  std::uint32_t workgroup() const { return subgroup * subgroup_rows * subgroup_columns; }
};

/// What a kernel keeps: tiles of whole heads in shared memory, of what a workgroup owns and of what it walks
/// over, and sums as wide as a head in registers.
struct AttentionNeeds {
  std::uint32_t owned_tiles, walked_tiles, sums;
};
constexpr AttentionNeeds attention_forward_needs{1, 1, 1};
constexpr AttentionNeeds attention_backward_queries_needs{2, 1, 1};
constexpr AttentionNeeds attention_backward_keys_needs{2, 2, 2};

/// The tile for `owned` rows or keys of heads so wide, or none: attention runs in fp32 without matrix units.
std::optional<AttentionMatrixTile> choose_attention_tile(const vk::DeviceInfo& device, vk::Precision operands,
                                                         std::uint32_t width, std::uint64_t owned,
                                                         const AttentionNeeds& needs);

/// Dispatches `kernel` where choose_attention_tile and these buffers allow; false: nothing was recorded.
bool dispatch_attention_matrices(Recorder& rec, const std::string& kernel,
                                 std::initializer_list<vk::Slice> buffers, const AttentionArgs& args,
                                 std::uint64_t owned, const AttentionNeeds& needs);

}  // namespace walsh
