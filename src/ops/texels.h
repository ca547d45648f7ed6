// Which form of a kernel reads best. Drivers that run on the CPU gather texels of four words in registers,
// and load a word of a storage buffer lane by lane, as dear as 50 vector additions; GPUs read both alike, and
// storage buffers have no limit of elements.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>

#include "ops/op.h"

namespace walsh {

/// Whether the device runs faster from texels, and this memory fits texel buffers and begins where one may.
inline bool prefers_texels(const vk::DeviceInfo& device, std::initializer_list<vk::Slice> read) {
  return device.tuning.lane_by_lane && std::ranges::all_of(read, [&](const vk::Slice& slice) {
           return ceil_div(slice.size, 16) <= device.limits.max_texels &&
                  slice.offset % device.limits.texel_alignment == 0;
         });
}

/// The form of an elementwise kernel (shaders/lib/values.glsl).
struct Values {
  std::string kernel;
  std::uint32_t floats;  // of a value
  bool texels() const { return floats > 1; }
};

/// `width`: floats of what a value may not straddle, a row or the whole tensor.
inline Values choose_values(Recorder& rec, std::string_view op, std::uint64_t width,
                            std::initializer_list<vk::Slice> read) {
  if (width % 4 == 0 && prefers_texels(rec.device().info(), read)) return {std::string(op) + ".texels", 4};
  return {std::string(op) + ".floats", 1};
}

}  // namespace walsh
