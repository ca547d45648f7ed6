#include "methods/parameters.h"

#include <algorithm>

#include "base/error.h"
#include "vk/device.h"

namespace walsh {
namespace {

// Blocks and ranges fit maxStorageBufferRange, 128 MiB at the least; a larger tensor has a block of its own,
// which is cut into several ranges.
constexpr std::uint64_t range_bytes = std::uint64_t{128} << 20;

Tensor whole(const vk::Slice& block) { return {block, DType::f32, {block.size / 4}}; }

}  // namespace

Parameters::Memory::Memory(const ParameterGroup& of)
    : group(of),
      values("parameters", vk::MemoryKind::device, range_bytes),
      gradients("gradients", vk::MemoryKind::device, range_bytes),
      m("first moments", vk::MemoryKind::device, range_bytes),
      v("second moments", vk::MemoryKind::device, range_bytes) {}

Parameter Parameters::add(std::string name, const Shape& shape, const ParameterGroup& group) {
  auto found = std::ranges::find_if(memory_, [&](const auto& memory) { return memory->group == group; });
  if (found == memory_.end()) found = memory_.insert(found, std::make_unique<Memory>(group));
  Memory& memory = **found;
  // The same reservations in the same order give all four arenas the same layout.
  const Parameter parameter{std::move(name), reserve(memory.values, DType::f32, shape),
                            reserve(memory.gradients, DType::f32, shape)};
  reserve(memory.m, DType::f32, shape);
  reserve(memory.v, DType::f32, shape);
  parameters_.push_back(parameter);
  trained_ += shape.elements();
  return parameter;
}

std::uint64_t Parameters::value_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& memory : memory_) bytes += memory->values.bytes();
  return bytes;
}

std::uint64_t Parameters::state_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& memory : memory_)
    bytes += memory->gradients.bytes() + memory->m.bytes() + memory->v.bytes();
  return bytes;
}

const Parameter& Parameters::at(const std::string& name) const {
  const auto found = std::ranges::find(parameters_, name, &Parameter::name);
  require(found != parameters_.end(), "{} is not trained in this run", name);
  return *found;
}

void Parameters::start(const std::string& name, std::vector<float> values) {
  const Shape& shape = at(name).value.shape;
  require(values.size() == shape.elements(), "{}: {} values, expected {}", name, values.size(), shape.text());
  starts_[name] = std::move(values);
}

void Parameters::commit(vk::Device& device, bool training) {
  for (const auto& memory : memory_) {
    memory->values.commit(device);
    if (!training) continue;
    for (vk::Arena* arena : {&memory->gradients, &memory->m, &memory->v}) arena->commit(device);
    const auto values = memory->values.blocks(), gradients = memory->gradients.blocks(),
               m = memory->m.blocks(), v = memory->v.blocks();
    const std::uint64_t binding = device.info().limits.max_storage_range;
    const std::uint64_t most = std::min(range_bytes, binding / vk::Arena::alignment * vk::Arena::alignment);
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::uint64_t first = 0; first < values[i].size; first += most) {
        const std::uint64_t bytes = std::min(most, values[i].size - first);
        const auto part = [&](const vk::Slice& block) { return whole(block.part(first, bytes)); };
        ranges_.push_back({part(values[i]), part(gradients[i]), part(m[i]), part(v[i]), memory->group});
      }
    }
  }
}

void Parameters::upload(vk::Device& device) {
  for (const auto& [name, values] : starts_) device.upload(at(name).value, values);
  starts_.clear();
}

std::vector<Tensor> Parameters::values() const {
  std::vector<Tensor> all;
  for (const auto& memory : memory_) {
    for (const vk::Slice& block : memory->values.blocks()) all.push_back(whole(block));
  }
  return all;
}

}  // namespace walsh
