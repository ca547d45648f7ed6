// What a Vulkan device offers, as `walsh devices` prints it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vk/handles.h"

namespace walsh::vk {

enum class DeviceType : std::uint8_t { discrete, integrated, virtual_gpu, cpu, other };
std::string_view name_of(DeviceType type);

/// The type of a matrix product's operands; sums are fp32 always.
enum class Precision : std::uint8_t { fp32, fp16, bf16 };
std::string_view name_of(Precision precision);

/// Optional features. Every kernel has a path without each of them.
struct Features {
  bool storage16 = false;  // 16-bit values in storage buffers
  bool storage8 = false;
  bool fp16 = false;  // 16-bit float arithmetic
  bool bf16 = false;
  bool int64 = false;
  bool int_dot = false;    // packed 8-bit dot products, accelerated
  bool coopmat = false;    // VK_KHR_cooperative_matrix
  bool coopmat2 = false;   // VK_NV_cooperative_matrix2
  bool subgroups = false;  // shuffles and arithmetic in compute
};

/// The features that are on, by the names of the command line: storage16 storage8 fp16 bf16 int64 int-dot
/// coopmat ...
std::vector<std::string> names_of(const Features& features);

/// What a subgroup multiplies at once: [m, k] by [k, n], with sums in fp32. All 0: nothing.
struct MatrixShape {
  std::uint32_t m = 0, n = 0, k = 0;
  explicit operator bool() const { return m > 0; }
};

struct Limits {
  std::uint64_t max_storage_range = 0;  // bytes of one binding
  std::uint64_t max_texels = 0;         // elements of one texel buffer
  std::uint64_t texel_alignment = 1;    // bytes: a texel buffer begins at a multiple of this
  std::uint64_t storage_alignment = 1;  // bytes: a binding begins at a multiple of this
  std::uint64_t max_allocation = 0;     // bytes of one allocation
  std::uint32_t max_invocations = 0;    // of a workgroup
  std::uint32_t max_shared_bytes = 0;
  std::uint32_t max_push_bytes = 0;
  std::array<std::uint32_t, 3> max_groups{};
  std::uint32_t subgroup_min = 0, subgroup_max = 0;
  bool sized_subgroups = false;     // compute kernels can be given a size between the two
  std::uint32_t max_subgroups = 0;  // of a workgroup whose kernel sets its subgroup size
  float timestamp_nanoseconds = 0;  // a tick; 0: no timestamps
};

/// The richest of these that is on: minimum, storage (8 and 16 bits), fp16, bf16, int-dot, coopmat, coopmat2.
std::string_view tier_of(const Features& features);

/// What the choice of kernels depends on beside features and limits; set by the quirk table (vk/quirks.h).
struct Tuning {
  /// Loads and stores of buffers and of shared memory go lane by lane, and only texel buffers are gathered.
  bool lane_by_lane = false;
  /// Matrix products with as many results take the largest tiles, which pay once they fill a GPU.
  std::uint64_t large_tile_results = std::uint64_t{512} * 128 * 128;
  /// Of products on cooperative matrices: sums that an invocation holds in registers, at most, and the depth
  /// of a slab.
  std::uint32_t matrix_sums = 64, matrix_depth = 32;
  /// Invocations of a subgroup in every kernel. 0: the driver chooses, and kernels that work by subgroups get
  /// the smallest size.
  std::uint32_t subgroup = 0;
  /// Submissions are cut to this: drivers reset a device whose submission runs for about 2 s.
  double submission_seconds = 0.1;
};

struct DeviceInfo {
  std::uint32_t index = 0;
  std::string name;
  DeviceType type = DeviceType::other;
  std::string driver;  // name and version as the driver says it
  std::uint32_t vendor_id = 0;
  std::uint32_t driver_id = 0;       // VkDriverId
  std::uint32_t driver_version = 0;  // packed as the driver packs it
  std::string api;                   // "1.3.230"
  std::uint64_t memory_bytes = 0;    // of the largest device-local heap
  std::uint64_t memory_free_bytes =
      0;  // what the driver says is left (VK_EXT_memory_budget), else memory_bytes
  Features features;
  Limits limits;
  Tuning tuning;
  struct {
    MatrixShape fp16, bf16;
  } matrices;                            // as the driver offers them; vk/matrices.h says what is used
  std::vector<std::string_view> quirks;  // names of the rows of the quirk table that hold here
  bool statistics = false;               // the driver tells what its compiler made of a kernel
  std::string cache_key;                 // vendor, device and driver build: names caches
  VkPhysicalDevice handle = nullptr;
};

/// Invocations of a subgroup in kernels that work by subgroups.
std::uint32_t subgroup_size(const DeviceInfo& info);

/// The sizes that every kernel of walsh can be given (Tuning::subgroup), ascending.
std::vector<std::uint32_t> subgroup_sizes(const Limits& limits);

/// Real GPUs before CPU drivers, then as the loader lists them; `index` is the position. May be empty.
std::vector<DeviceInfo> list_devices();

/// Picks a device: an index, a part of a name (any case), or empty for the first. `disabled` is a
/// comma-separated list of features to do without. Refuses in one line: no device, index out of range, no
/// such name, unknown feature, or a device below walsh's minimum (the limit is named).
DeviceInfo choose_device(const std::string& which, const std::string& disabled = {});

}  // namespace walsh::vk
