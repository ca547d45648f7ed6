// --offload: the frozen weights of the layers stay in the host's memory, and the device holds two layers at a
// time. While one layer runs the next one's weights are copied over the other's that has run.
#pragma once

#include <array>
#include <vector>

#include "vk/memory.h"
#include "vk/recorder.h"

namespace walsh {

class LayerStream {
 public:
  /// Where layer `index`, the next one, reserves its weights: over the layer before the last.
  vk::Arena& next_layer(std::uint32_t index);
  /// What the device reads in place, a few rows a pass: the embedding.
  vk::Arena& on_host() { return host_; }
  /// Once every layer has reserved: room for all of them on the host.
  void reserve_host(std::uint32_t layers);

  void commit(vk::Device& device);
  std::uint64_t device_bytes() const { return slots_[0].bytes() + slots_[1].bytes(); }
  std::uint64_t host_bytes() const { return host_.bytes(); }

  /// Keeps what was uploaded to layer `index`'s weights.
  void store(vk::Device& device, std::uint32_t index) const;
  /// Copies layer `index`'s weights to the device.
  void fetch(vk::Recorder& rec, std::uint32_t index) const;

 private:
  std::array<vk::Arena, 2> slots_{vk::Arena("layer's weights"), vk::Arena("next layer's weights")};
  vk::Arena host_{"weights on the host", vk::MemoryKind::streamed};
  std::vector<std::vector<vk::Slice>> stored_;  // of a layer: a slice for every block of its slot
};

}  // namespace walsh
