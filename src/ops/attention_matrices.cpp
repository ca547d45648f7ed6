#include "ops/attention_matrices.h"

namespace walsh {
namespace {

// Two workgroups, or more, then share a compute unit of the GPUs that have matrix units.
constexpr std::uint64_t most_shared_bytes = 48 * 1024;
// An invocation's sums, beyond which compilers spill: of 256 registers RADV takes 228 for 128 sums and NVK
// 255. In subgroups of 16 and less, Intel's, an invocation has 128 registers.
std::uint32_t most_sums(std::uint32_t subgroup) { return subgroup <= 16 ? 64 : 128; }

/// The arrays of the kernels, whose rows are padded by 16 bytes.
std::uint64_t shared_bytes(const AttentionMatrixTile& tile, std::uint32_t width,
                           const AttentionNeeds& needs) {
  const std::uint64_t owned = tile.owned, walked = tile.walked;
  const std::uint64_t heads =
      2 * (needs.owned_tiles * owned + needs.walked_tiles * walked) * (std::uint64_t{width} + 8);
  const std::uint64_t scores = 4 * owned * (walked + 4), weights = 2 * owned * (walked + 8);
  const std::uint64_t rows = std::max<std::uint64_t>(4 * tile.workgroup(), 20 * walked) + 8;
  return heads + scores + weights + rows;
}

/// Whether the parts of lib/attention_coopmat.glsl come out whole.
bool whole(const AttentionMatrixTile& tile, std::uint32_t width) {
  const auto& [m, n, k] = tile.shape;
  const std::uint32_t across = tile.subgroup_columns * n;
  if (tile.owned % (tile.subgroup_rows * m) != 0 || width % across != 0 || width % k != 0) return false;
  if (tile.walked % across != 0 || tile.walked % k != 0 || tile.workgroup() % tile.owned != 0) return false;
  const std::uint32_t per_owned = tile.workgroup() / tile.owned;
  return tile.subgroup % per_owned == 0 && tile.walked % (4 * per_owned) == 0;
}

}  // namespace

std::optional<AttentionMatrixTile> choose_attention_tile(const vk::DeviceInfo& device, vk::Precision operands,
                                                         std::uint32_t width, std::uint64_t owned,
                                                         const AttentionNeeds& needs) {
  const vk::MatrixShape shape = vk::matrix_shape(device, operands);
  // A step of decoding has a row or a few: matrices would be all but empty.
  if (!shape || owned < shape.m) return std::nullopt;
  const std::uint32_t size = subgroup_size(device);
  const std::uint32_t most = std::min(256 / size, device.limits.max_subgroups);
  const std::uint64_t most_bytes = std::min<std::uint64_t>(device.limits.max_shared_bytes, most_shared_bytes);
  struct Extent {
    std::uint32_t owned, walked;
  };
  for (const Extent extent :
       {Extent{64, 32}, Extent{32, 32}, Extent{32, 16}, Extent{16, 32}, Extent{16, 16}}) {
    AttentionMatrixTile tile{.operands = operands,
                             .shape = shape,
                             .subgroup = size,
                             .subgroup_rows = std::clamp(extent.owned / shape.m, 1u, 4u),
                             .subgroup_columns = 1,
                             .owned = extent.owned,
                             .walked = extent.walked};
    // What is summed for a head is shared by as many subgroups as it takes to stay within the registers, and
    // to keep a compute unit busy.
    const auto sums = [&] { return needs.sums * tile.owned * width / tile.workgroup(); };  // of an invocation
    while (sums() > device.tuning.matrix_sums || tile.subgroup_rows * tile.subgroup_columns < 4) {
      AttentionMatrixTile wider = tile;
      wider.subgroup_columns *= 2;
      if (wider.subgroup_rows * wider.subgroup_columns > most || !whole(wider, width)) break;
      tile = wider;
    }
    const bool several_down = tile.owned > tile.subgroup_rows * shape.m;
    if (several_down && sums() > device.tuning.matrix_sums) continue;
    if (sums() > most_sums(size) || tile.subgroup_rows * tile.subgroup_columns > most || !whole(tile, width))
      continue;
    if (shared_bytes(tile, width, needs) <= most_bytes) return tile;
  }
  return std::nullopt;
}

bool dispatch_attention_matrices(Recorder& rec, const std::string& kernel,
                                 std::initializer_list<vk::Slice> buffers, const AttentionArgs& args,
                                 std::uint64_t owned, const AttentionNeeds& needs) {
  const auto tile = choose_attention_tile(rec.device().info(), rec.operands(), args.width, owned, needs);
  // Heads are read and written by fours.
  if (!tile || !std::ranges::all_of(buffers, [](const vk::Slice& slice) { return slice.offset % 16 == 0; }))
    return false;
  const vk::MatrixShape& shape = tile->shape;
  const std::uint32_t constants[]{tile->workgroup(),   tile->subgroup, shape.m,      shape.n,   shape.k,
                                  tile->subgroup_rows, tile->owned,    tile->walked, args.width};
  rec.dispatch(kernel + (tile->operands == vk::Precision::fp16 ? "_coopmat.f16" : "_coopmat.bf16"),
               std::span(buffers.begin(), buffers.size()), &args, sizeof(args),
               Groups{ceil_div(owned, tile->owned), args.kv_heads, 1}, constants);
  return true;
}

}  // namespace walsh
