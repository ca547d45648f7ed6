// What a run trains: one logical block of fp32 masters, whatever the method, with its gradients and optimizer
// state in the same layout. The block is cut into ranges that fit a binding; every range is one dispatch of
// norm, clip and AdamW.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"
#include "vk/memory.h"

namespace walsh {

/// A trained tensor: a name and its place in the block.
struct Parameter {
  std::string name;
  Tensor value;     // f32
  Tensor gradient;  // f32, the same shape; kernels add to it, AdamW zeroes it
};

class Parameters {
 public:
  Parameters();

  /// Room for a trained tensor; before commit. Names differ.
  Parameter add(std::string name, const Shape& shape);

  /// The values that a parameter begins with, instead of zeros, for `upload`.
  void start(const std::string& name, std::vector<float> values);

  /// Allocates the values and, for training, gradients and optimizer state.
  void commit(vk::Device& device, bool training);

  /// What `start` said goes to the device.
  void upload(vk::Device& device);

  struct Range {
    Tensor value, gradient, m, v;  // f32, the same length
  };
  std::span<const Range> ranges() const { return ranges_; }
  /// The values of every range, for training or not.
  std::vector<Tensor> values() const;
  std::span<const Parameter> all() const { return parameters_; }
  const Parameter& at(const std::string& name) const;

  std::uint64_t trained() const { return trained_; }
  std::uint64_t value_bytes() const { return values_.bytes(); }
  std::uint64_t state_bytes() const { return gradients_.bytes() + m_.bytes() + v_.bytes(); }

 private:
  vk::Arena values_, gradients_, m_, v_;
  std::vector<Parameter> parameters_;
  std::map<std::string, std::vector<float>> starts_;
  std::vector<Range> ranges_;
  std::uint64_t trained_ = 0;
};

}  // namespace walsh
