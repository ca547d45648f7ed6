// The host's side of shaders/parts.h: what parts of one dispatch have of their own, covered by one binding.
#pragma once

#include <optional>
#include <span>

#include "ops/op.h"
#include "shaders/parts.h"

namespace walsh {

/// The least slice that covers `slice_of(part)` of every part, and at which of its words each begins. Nothing
/// where several lie in different blocks, or not 16 bytes aligned to each other, or one binding cannot hold
/// them.
template <typename Part, typename SliceOf>
std::optional<vk::Slice> cover(Recorder& rec, std::span<const Part> parts, SliceOf slice_of,
                               std::uint32_t (&at)[MOST_PARTS]) {
  vk::Slice all = slice_of(parts[0]);
  if (parts.size() == 1) return all;
  std::uint64_t end = all.offset + all.size;
  for (const Part& part : parts) {
    const vk::Slice slice = slice_of(part);
    if (slice.block != all.block) return std::nullopt;
    all.offset = std::min(all.offset, slice.offset);
    end = std::max(end, slice.offset + slice.size);
  }
  all.size = end - all.offset;
  if (all.size > rec.device().info().limits.max_storage_range) return std::nullopt;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::uint64_t bytes = slice_of(parts[i]).offset - all.offset;
    if (bytes % 16 != 0) return std::nullopt;
    at[i] = static_cast<std::uint32_t>(bytes / 4);
  }
  return all;
}

/// Groups for each of `parts`.
inline Groups each(Groups groups, std::size_t parts) {
  return {groups.x, groups.y, static_cast<std::uint32_t>(parts)};
}

}  // namespace walsh
