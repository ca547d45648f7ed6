#include "vk/recorder.h"

#include <volk.h>

#include <algorithm>
#include <utility>

#include "vk/instance.h"
#include "vk/result.h"

namespace walsh::vk {
namespace {

// Dispatches a piece holds: small enough that a piece stays far below a watchdog's limit, large enough that
// the full barriers between pieces cost nothing.
constexpr std::size_t dispatches_per_piece = 24;
constexpr std::uint32_t sets_per_pool = 256;
constexpr std::uint32_t max_queries = 32768;

void memory_barrier(VkCommandBuffer commands, VkPipelineStageFlags2 from, VkAccessFlags2 from_access,
                    VkPipelineStageFlags2 to, VkAccessFlags2 to_access) {
  VkMemoryBarrier2 barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2;
  barrier.srcStageMask = from;
  barrier.srcAccessMask = from_access;
  barrier.dstStageMask = to;
  barrier.dstAccessMask = to_access;
  VkDependencyInfo dependency{};
  dependency.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO;
  dependency.memoryBarrierCount = 1;
  dependency.pMemoryBarriers = &barrier;
  vkCmdPipelineBarrier2(commands, &dependency);
}

constexpr VkAccessFlags2 any_access = VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT;

}  // namespace

Recording::Recording(Recording&& other) noexcept
    : device_(other.device_),
      pool_(std::exchange(other.pool_, nullptr)),
      pieces_(std::move(other.pieces_)),
      descriptor_pools_(std::exchange(other.descriptor_pools_, {})),
      views_(std::exchange(other.views_, {})),
      queries_(std::exchange(other.queries_, nullptr)),
      stamps_(std::move(other.stamps_)),
      dispatches_(other.dispatches_),
      barriers_(other.barriers_) {}

Recording& Recording::operator=(Recording&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(pool_, other.pool_);
  std::swap(pieces_, other.pieces_);
  std::swap(descriptor_pools_, other.descriptor_pools_);
  std::swap(views_, other.views_);
  std::swap(queries_, other.queries_);
  std::swap(stamps_, other.stamps_);
  std::swap(dispatches_, other.dispatches_);
  std::swap(barriers_, other.barriers_);
  return *this;
}

Recording::~Recording() {
  if (!pool_) return;
  vkDeviceWaitIdle(device_->handle());  // unchecked: a lost device is torn down too
  for (VkDescriptorPool pool : descriptor_pools_) vkDestroyDescriptorPool(device_->handle(), pool, nullptr);
  for (VkBufferView view : views_) vkDestroyBufferView(device_->handle(), view, nullptr);
  if (queries_) vkDestroyQueryPool(device_->handle(), queries_, nullptr);
  vkDestroyCommandPool(device_->handle(), pool_, nullptr);
}

std::vector<ScopeTime> Recording::scope_times() const {
  std::vector<ScopeTime> times;
  if (!queries_ || stamps_.empty()) return times;
  std::vector<std::uint64_t> ticks(2 * stamps_.size());
  check(vkGetQueryPoolResults(device_->handle(), queries_, 0, static_cast<std::uint32_t>(ticks.size()),
                              ticks.size() * 8, ticks.data(), 8,
                              VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
        "vkGetQueryPoolResults");
  const double tick = device_->info().limits.timestamp_nanoseconds * 1e-9;
  for (const Stamp& stamp : stamps_) {
    times.push_back({stamp.name, static_cast<double>(ticks[stamp.begin]) * tick,
                     static_cast<double>(ticks[stamp.begin + 1] - ticks[stamp.begin]) * tick,
                     stamp.dispatch});
  }
  return times;
}

Recorder::Recorder(Device& device, bool profile, Precision operands)
    : recording_(device),
      profile_(profile && device.info().limits.timestamp_nanoseconds > 0),
      operands_(operands) {
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
  }
  begin_piece();
  if (profile_) vkCmdResetQueryPool(commands_, recording_.queries_, 0, max_queries);
}

void Recorder::begin_piece() {
  VkCommandBufferAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = recording_.pool_;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  check(vkAllocateCommandBuffers(device().handle(), &info, &commands_), "vkAllocateCommandBuffers");
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  begin.flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT;
  check(vkBeginCommandBuffer(commands_, &begin), "vkBeginCommandBuffer");
  memory_barrier(commands_, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, any_access,
                 VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, any_access);
  reads_.clear();
  writes_.clear();
  piece_dispatches_ = 0;
}

void Recorder::end_piece() {
  memory_barrier(commands_, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, any_access,
                 VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_2_HOST_BIT,
                 any_access | VK_ACCESS_2_HOST_READ_BIT);
  check(vkEndCommandBuffer(commands_), "vkEndCommandBuffer");
  recording_.pieces_.push_back({commands_});
  commands_ = nullptr;
}

void Recorder::barrier() {
  constexpr VkPipelineStageFlags2 stages =
      VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_TRANSFER_BIT;
  memory_barrier(commands_, stages, any_access, stages, any_access);
  reads_.clear();
  writes_.clear();
  ++recording_.barriers_;
}

void Recorder::order(std::span<const Slice> reads, std::span<const Slice> writes) {
  const auto touches = [](const std::vector<Range>& ranges, const Slice& slice) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
      return range.block == slice.block && range.begin < slice.offset + slice.size &&
             slice.offset < range.end;
    });
  };
  const bool read_after_write =
      std::any_of(reads.begin(), reads.end(), [&](const Slice& slice) { return touches(writes_, slice); });
  const bool write_after_any = std::any_of(writes.begin(), writes.end(), [&](const Slice& slice) {
    return touches(writes_, slice) || touches(reads_, slice);
  });
  if (read_after_write || write_after_any) barrier();
  for (const Slice& slice : reads) reads_.push_back({slice.block, slice.offset, slice.offset + slice.size});
  for (const Slice& slice : writes) writes_.push_back({slice.block, slice.offset, slice.offset + slice.size});
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
  if (piece_dispatches_ >= dispatches_per_piece && open_scopes_ == 0) {
    end_piece();
    begin_piece();
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

  order({reads.data(), read_count}, {writes.data(), write_count});
  vkCmdBindPipeline(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, kernel.pipeline());
  vkCmdBindDescriptorSets(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, kernel.layout(), 0, 1, &set, 0, nullptr);
  if (args_bytes > 0) {
    vkCmdPushConstants(commands_, kernel.layout(), VK_SHADER_STAGE_COMPUTE_BIT, 0,
                       static_cast<std::uint32_t>(args_bytes), args);
  }
  const auto stamp = begin_stamp(module, true);
  vkCmdDispatch(commands_, groups.x, groups.y, groups.z);
  end_stamp(stamp);
  ++piece_dispatches_;
  ++recording_.dispatches_;
}

void Recorder::copy(const Slice& to, const Slice& from) {
  require(to.size == from.size, "copy: {} bytes into {}", from.size, to.size);
  order({&from, 1}, {&to, 1});
  const VkBufferCopy region{from.offset, to.offset, to.size};
  vkCmdCopyBuffer(commands_, from.block->buffer, to.block->buffer, 1, &region);
}

void Recorder::clear(const Slice& slice) {
  order({}, {&slice, 1});
  vkCmdFillBuffer(commands_, slice.block->buffer, slice.offset, (slice.size + 3) / 4 * 4, 0);
}

std::optional<std::uint32_t> Recorder::begin_stamp(std::string_view name, bool dispatch) {
  const auto begin = static_cast<std::uint32_t>(2 * recording_.stamps_.size());
  if (!profile_ || begin + 2 > max_queries) return std::nullopt;
  recording_.stamps_.push_back({std::string(name), begin, dispatch});
  vkCmdWriteTimestamp2(commands_, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, recording_.queries_, begin);
  return begin;
}

void Recorder::end_stamp(std::optional<std::uint32_t> stamp) {
  if (!stamp) return;
  vkCmdWriteTimestamp2(commands_, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, recording_.queries_, *stamp + 1);
}

Recorder::Scope::Scope(Recorder& recorder, std::string name) : recorder_(recorder) {
  if (validation_enabled()) {
    VkDebugUtilsLabelEXT label{};
    label.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT;
    label.pLabelName = name.c_str();
    vkCmdBeginDebugUtilsLabelEXT(recorder_.commands_, &label);
  }
  stamp_ = recorder_.begin_stamp(name, false);
  ++recorder_.open_scopes_;
}

Recorder::Scope::~Scope() {
  --recorder_.open_scopes_;
  recorder_.end_stamp(stamp_);
  if (validation_enabled()) vkCmdEndDebugUtilsLabelEXT(recorder_.commands_);
}

Recording Recorder::finish() {
  require(open_scopes_ == 0, "recorder: {} scopes are still open", open_scopes_);
  end_piece();
  return std::move(recording_);
}

}  // namespace walsh::vk
