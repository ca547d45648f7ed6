#include "vk/recorder.h"

#include <volk.h>

#include <algorithm>
#include <utility>

#include "vk/result.h"

namespace walsh::vk {
namespace {

constexpr std::uint32_t sets_per_pool = 256;
constexpr std::uint32_t max_queries = 32768;

// The axis along which a dispatch may be cut into ranges. A kernel that folds its positions over the number
// of workgroups on x (shaders/lib/index.glsl) must see that number: only y, or x where it is the only axis.
std::size_t axis_to_cut(const Kernel& kernel, std::span<const std::uint32_t, 3> groups) {
  if (kernel.interface().counts_groups) return groups[1] > 1 ? 1 : 0;
  return static_cast<std::size_t>(std::max_element(groups.begin(), groups.end()) - groups.begin());
}

}  // namespace

Recorder::Recorder(Device& device, bool profile, Precision operands)
    : recording_(device),
      profile_(profile && device.info().limits.timestamp_nanoseconds > 0),
      operands_(operands),
      dispatches_{VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT, {}, {}},
      transfers_{VK_PIPELINE_STAGE_2_TRANSFER_BIT, {}, {}} {
  VkCommandPoolCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  info.queueFamilyIndex = device.queue_family();
  check(vkCreateCommandPool(device.handle(), &info, nullptr, &recording_.pool_), "vkCreateCommandPool");
  if (profile_) {
    VkQueryPoolCreateInfo queries{};
    queries.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
    queries.queryType = VK_QUERY_TYPE_TIMESTAMP;
    queries.queryCount = max_queries;
    check(vkCreateQueryPool(device.handle(), &queries, nullptr, &recording_.queries_), "vkCreateQueryPool");
    append([pool = recording_.queries_](VkCommandBuffer commands, std::uint32_t, std::uint32_t) {
      vkCmdResetQueryPool(commands, pool, 0, max_queries);
    });
  }
}

void Recorder::append(std::function<void(VkCommandBuffer, std::uint32_t, std::uint32_t)> write,
                      std::uint32_t parts) {
  recording_.commands_.push_back(
      {.write = std::move(write), .parts = parts, .wait_for = std::exchange(barrier_, 0)});
}

bool Recorder::Pending::touched(std::span<const Slice> read, std::span<const Slice> written) const {
  const auto touches = [](const std::vector<Range>& ranges, const Slice& slice) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
      return range.block == slice.block && range.begin < slice.offset + slice.size &&
             slice.offset < range.end;
    });
  };
  const bool read_after_write =
      std::any_of(read.begin(), read.end(), [&](const Slice& slice) { return touches(writes, slice); });
  return read_after_write || std::any_of(written.begin(), written.end(), [&](const Slice& slice) {
           return touches(writes, slice) || touches(reads, slice);
         });
}

void Recorder::wait_for(Pending& stage) {
  if (barrier_ == 0) ++recording_.barriers_;
  barrier_ |= stage.stage;
  stage.reads.clear();
  stage.writes.clear();
}

void Recorder::order(Pending& stage, std::span<const Slice> reads, std::span<const Slice> writes) {
  for (Pending* pending : {&dispatches_, &transfers_})
    if (pending->touched(reads, writes)) wait_for(*pending);
  for (const Slice& slice : reads)
    stage.reads.push_back({slice.block, slice.offset, slice.offset + slice.size});
  for (const Slice& slice : writes)
    stage.writes.push_back({slice.block, slice.offset, slice.offset + slice.size});
}

void Recorder::dispatch(std::string_view module, std::span<const Slice> buffers, const void* args,
                        std::size_t args_bytes, Groups groups, std::span<const std::uint32_t> constants) {
  const Kernel& kernel = device().kernel(module, constants);
  const auto& bindings = kernel.interface().bindings;
  const Limits& limits = device().info().limits;
  require(buffers.size() == bindings.size(), "kernel {}: {} buffers given, it binds {}", module,
          buffers.size(), bindings.size());
  require(args_bytes == kernel.interface().push_bytes,
          "kernel {}: {} bytes of arguments given, its push constants have {}", module, args_bytes,
          kernel.interface().push_bytes);
  const std::uint32_t counts[] = {groups.x, groups.y, groups.z};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    require(counts[axis] > 0 && counts[axis] <= limits.max_groups[axis],
            "kernel {}: {} workgroups on axis {}, the device allows 1 to {}", module, counts[axis], axis,
            limits.max_groups[axis]);
  }

  std::array<VkDescriptorBufferInfo, 16> infos;
  std::array<VkBufferView, 16> views;
  std::array<VkWriteDescriptorSet, 16> descriptor_writes;
  std::array<Slice, 16> reads, writes;
  std::size_t read_count = 0, write_count = 0;
  require(buffers.size() <= infos.size(), "kernel {}: {} buffers, at most {} are supported", module,
          buffers.size(), infos.size());

  if (recording_.dispatches_ % sets_per_pool == 0) {
    const VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, sets_per_pool * 16},
                                          {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, sets_per_pool * 4}};
    VkDescriptorPoolCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
    info.maxSets = sets_per_pool;
    info.poolSizeCount = 2;
    info.pPoolSizes = sizes;
    VkDescriptorPool pool = nullptr;
    check(vkCreateDescriptorPool(device().handle(), &info, nullptr, &pool), "vkCreateDescriptorPool");
    recording_.descriptor_pools_.push_back(pool);
  }
  const VkDescriptorSetLayout layout = kernel.set_layout();
  VkDescriptorSetAllocateInfo allocate{};
  allocate.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
  allocate.descriptorPool = recording_.descriptor_pools_.back();
  allocate.descriptorSetCount = 1;
  allocate.pSetLayouts = &layout;
  VkDescriptorSet set = VK_NULL_HANDLE;
  check(vkAllocateDescriptorSets(device().handle(), &allocate, &set), "vkAllocateDescriptorSets");

  for (std::uint32_t i = 0; i < buffers.size(); ++i) {
    const Slice& slice = buffers[i];
    require(slice.block && slice.block->buffer, "kernel {}: binding {} has no memory", module, i);
    require(slice.size <= limits.max_storage_range,
            "kernel {}: binding {} has {} bytes, maxStorageBufferRange is {}", module, i, slice.size,
            limits.max_storage_range);
    require(slice.offset % limits.storage_alignment == 0,
            "kernel {}: binding {} begins at byte {}, the device wants a multiple of {}", module, i,
            slice.offset, limits.storage_alignment);
    // A whole number of words: a tail of bytes is read as the word that holds it, and slices are padded to
    // 256 bytes.
    infos[i] = {slice.block->buffer, slice.offset, (slice.size + 3) / 4 * 4};
    descriptor_writes[i] = {};
    descriptor_writes[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    descriptor_writes[i].dstSet = set;
    descriptor_writes[i].dstBinding = i;
    descriptor_writes[i].descriptorCount = 1;
    descriptor_writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    descriptor_writes[i].pBufferInfo = &infos[i];
    if (bindings[i].kind != BindingKind::storage) {
      VkBufferViewCreateInfo view{};
      view.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO;
      view.buffer = slice.block->buffer;
      view.format = bindings[i].kind == BindingKind::float_texels ? VK_FORMAT_R32G32B32A32_SFLOAT
                                                                  : VK_FORMAT_R32G32B32A32_UINT;
      view.offset = slice.offset;
      view.range = (slice.size + 15) / 16 * 16;
      recording_.views_.push_back(nullptr);
      check(vkCreateBufferView(device().handle(), &view, nullptr, &recording_.views_.back()),
            "vkCreateBufferView");
      views[i] = recording_.views_.back();
      descriptor_writes[i].descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
      descriptor_writes[i].pBufferInfo = nullptr;
      descriptor_writes[i].pTexelBufferView = &views[i];
    }
    if (bindings[i].reads) reads[read_count++] = slice;
    if (bindings[i].writes) writes[write_count++] = slice;
  }
  vkUpdateDescriptorSets(device().handle(), static_cast<std::uint32_t>(buffers.size()),
                         descriptor_writes.data(), 0, nullptr);

  order(dispatches_, {reads.data(), read_count}, {writes.data(), write_count});
  const auto stamp = begin_stamp(module, true);
  const std::size_t axis = axis_to_cut(kernel, counts);
  const auto* bytes = static_cast<const std::byte*>(args);
  append(
      [&kernel, set, axis, groups = std::to_array(counts), pushed = std::vector(bytes, bytes + args_bytes)](
          VkCommandBuffer commands, std::uint32_t first, std::uint32_t count) {
        vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, kernel.pipeline());
        vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, kernel.layout(), 0, 1, &set, 0,
                                nullptr);
        if (!pushed.empty()) {
          vkCmdPushConstants(commands, kernel.layout(), VK_SHADER_STAGE_COMPUTE_BIT, 0,
                             static_cast<std::uint32_t>(pushed.size()), pushed.data());
        }
        std::array<std::uint32_t, 3> base{}, part = groups;
        base[axis] = first;
        part[axis] = count;
        vkCmdDispatchBase(commands, base[0], base[1], base[2], part[0], part[1], part[2]);
      },
      counts[axis]);
  end_stamp(stamp);
  ++recording_.dispatches_;
}

void Recorder::copy(const Slice& to, const Slice& from) {
  require(to.size == from.size, "copy: {} bytes into {}", from.size, to.size);
  order(transfers_, {&from, 1}, {&to, 1});
  append([source = from.block->buffer, target = to.block->buffer,
          region = VkBufferCopy{from.offset, to.offset, to.size}](VkCommandBuffer commands, std::uint32_t,
                                                                  std::uint32_t) {
    vkCmdCopyBuffer(commands, source, target, 1, &region);
  });
}

void Recorder::prefetch(const Slice& to, const Slice& from) {
  if (!transfers_.writes.empty()) wait_for(transfers_);
  copy(to, from);
}

void Recorder::clear(const Slice& slice) {
  order(transfers_, {}, {&slice, 1});
  append([buffer = slice.block->buffer, slice](VkCommandBuffer commands, std::uint32_t, std::uint32_t) {
    vkCmdFillBuffer(commands, buffer, slice.offset, (slice.size + 3) / 4 * 4, 0);
  });
}

void Recorder::append_stamp(std::uint32_t query) {
  append([pool = recording_.queries_, query](VkCommandBuffer commands, std::uint32_t, std::uint32_t) {
    vkCmdWriteTimestamp2(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, pool, query);
  });
}

std::optional<std::uint32_t> Recorder::begin_stamp(std::string_view name, bool dispatch) {
  const auto begin = static_cast<std::uint32_t>(2 * recording_.stamps_.size());
  if (!profile_ || begin + 2 > max_queries) return std::nullopt;
  recording_.stamps_.push_back({std::string(name), begin, dispatch});
  append_stamp(begin);
  return begin;
}

void Recorder::end_stamp(std::optional<std::uint32_t> stamp) {
  if (stamp) append_stamp(*stamp + 1);
}

Recorder::Scope::Scope(Recorder& recorder, std::string name) : recorder_(recorder) {
  stamp_ = recorder_.begin_stamp(name, false);
  ++recorder_.open_scopes_;
}

Recorder::Scope::~Scope() {
  --recorder_.open_scopes_;
  recorder_.end_stamp(stamp_);
}

Recording Recorder::finish() {
  require(open_scopes_ == 0, "recorder: {} scopes are still open", open_scopes_);
  return std::move(recording_);
}

}  // namespace walsh::vk
