#include "methods/parameters.h"

#include <algorithm>

#include "base/error.h"
#include "ops/adamw.h"
#include "vk/device.h"

namespace walsh {
namespace {

// Blocks and ranges fit maxStorageBufferRange, 128 MiB at the least; a larger tensor has a block of its own,
// which is cut into several ranges.
constexpr std::uint64_t range_bytes = std::uint64_t{128} << 20;

Tensor whole(const vk::Slice& block) { return {block, DType::f32, {block.size / 4}}; }

struct Moments {
  Tensor m, v, largest;
};

// Of so many values.
Moments reserve_moments(vk::Arena& arena, std::uint64_t elements, bool in_8_bits) {
  if (!in_8_bits) return {reserve(arena, DType::f32, {elements}), reserve(arena, DType::f32, {elements}), {}};
  const std::uint64_t blocks = (elements + Moments8::block - 1) / Moments8::block;
  const Shape codes{blocks, Moments8::block / 4};
  return {reserve(arena, DType::u32, codes), reserve(arena, DType::u32, codes),
          reserve(arena, DType::f32, {blocks, 2})};
}

}  // namespace

Parameters::Memory::Memory(const ParameterGroup& of)
    : group(of),
      values("parameters", vk::MemoryKind::device, range_bytes),
      gradients("gradients", vk::MemoryKind::device, range_bytes),
      moments("moments", vk::MemoryKind::device, range_bytes) {}

Parameter Parameters::add(std::string name, const Shape& shape, const ParameterGroup& group) {
  auto found = std::ranges::find_if(memory_, [&](const auto& memory) { return memory->group == group; });
  if (found == memory_.end()) found = memory_.insert(found, std::make_unique<Memory>(group));
  Memory& memory = **found;
  // The same reservations in the same order give both arenas the same layout.
  const Parameter parameter{std::move(name), reserve(memory.values, DType::f32, shape),
                            reserve(memory.gradients, DType::f32, shape)};
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
  for (const auto& memory : memory_) {
    vk::Arena moments("moments");  // a plan of them
    for (const vk::Slice& block : memory->values.blocks())
      reserve_moments(moments, block.size / 4, moments8_);
    bytes += memory->gradients.bytes() + moments.bytes();
  }
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
    memory->gradients.commit(device);
    const auto values = memory->values.blocks(), gradients = memory->gradients.blocks();
    constexpr std::uint64_t unit = Moments8::block * 4;  // a range is whole blocks of moments
    const std::uint64_t most = std::min(range_bytes, device.info().limits.max_storage_range / unit * unit);
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::uint64_t first = 0; first < values[i].size; first += most) {
        const std::uint64_t bytes = std::min(most, values[i].size - first);
        const Moments moments = reserve_moments(memory->moments, bytes / 4, moments8_);
        ranges_.push_back({whole(values[i].part(first, bytes)), whole(gradients[i].part(first, bytes)),
                           moments.m, moments.v, moments.largest, memory->group});
      }
    }
    memory->moments.commit(device);
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
