#include "model/layer_stream.h"

namespace walsh {

vk::Arena& LayerStream::next_layer(std::uint32_t index) {
  vk::Arena& slot = slots_[index % 2];
  slot.overlap();
  return slot;
}

void LayerStream::reserve_host(std::uint32_t layers) {
  for (std::uint32_t i = 0; i < layers; ++i) {
    stored_.emplace_back();
    for (const vk::Slice& block : slots_[i % 2].blocks()) stored_[i].push_back(host_.reserve(block.size));
  }
}

void LayerStream::commit(vk::Device& device) {
  for (vk::Arena& slot : slots_) slot.commit(device);
  host_.commit(device);
}

void LayerStream::store(vk::Device& device, std::uint32_t index) const {
  vk::run_once(device, [&](vk::Recorder& rec) {
    const auto blocks = slots_[index % 2].blocks();
    for (std::size_t i = 0; i < blocks.size(); ++i) rec.copy(stored_[index][i], blocks[i]);
  });
}

void LayerStream::fetch(vk::Recorder& rec, std::uint32_t index) const {
  const auto blocks = slots_[index % 2].blocks();
  for (std::size_t i = 0; i < blocks.size(); ++i) rec.prefetch(blocks[i], stored_[index][i]);
}

}  // namespace walsh
