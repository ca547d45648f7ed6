#include "methods/parameters.h"

#include <algorithm>

#include "base/error.h"
#include "vk/device.h"

namespace walsh {
namespace {

// A range must fit maxStorageBufferRange, 128 MiB at the least.
constexpr std::uint64_t range_bytes = std::uint64_t{128} << 20;

Tensor whole(const vk::Slice& block) { return {block, DType::f32, {block.size / 4}}; }

}  // namespace

Parameters::Parameters()
    : values_("parameters", vk::MemoryKind::device, range_bytes),
      gradients_("gradients", vk::MemoryKind::device, range_bytes),
      m_("first moments", vk::MemoryKind::device, range_bytes),
      v_("second moments", vk::MemoryKind::device, range_bytes) {}

Parameter Parameters::add(std::string name, const Shape& shape) {
  // The same reservations in the same order give all four arenas the same layout.
  const Parameter parameter{std::move(name), reserve(values_, DType::f32, shape),
                            reserve(gradients_, DType::f32, shape)};
  reserve(m_, DType::f32, shape);
  reserve(v_, DType::f32, shape);
  parameters_.push_back(parameter);
  trained_ += shape.elements();
  return parameter;
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
  values_.commit(device);
  if (!training) return;
  for (vk::Arena* arena : {&gradients_, &m_, &v_}) arena->commit(device);
  const auto values = values_.blocks(), gradients = gradients_.blocks(), m = m_.blocks(), v = v_.blocks();
  for (std::size_t i = 0; i < values.size(); ++i) {
    ranges_.push_back({whole(values[i]), whole(gradients[i]), whole(m[i]), whole(v[i])});
  }
}

void Parameters::upload(vk::Device& device) {
  for (const auto& [name, values] : starts_) device.upload(at(name).value, values);
  starts_.clear();
}

std::vector<Tensor> Parameters::values() const {
  std::vector<Tensor> all;
  for (const vk::Slice& block : values_.blocks()) all.push_back(whole(block));
  return all;
}

}  // namespace walsh
