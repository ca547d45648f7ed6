// What a run trains: one logical block of fp32 masters, whatever the method, with its gradients and optimizer
// state in the same layout. The block is cut into ranges that fit a binding and are trained alike; every
// range is one dispatch of norm, clip and AdamW.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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

/// How a tensor is trained where it differs from the others.
struct ParameterGroup {
  float rate = 1;     // times the learning rate
  bool decay = true;  // takes part in weight decay

  friend bool operator==(const ParameterGroup&, const ParameterGroup&) = default;
};

class Parameters {
 public:
  /// Room for a trained tensor; before commit. Names differ.
  Parameter add(std::string name, const Shape& shape, const ParameterGroup& group = {});

  /// The values that a parameter begins with, instead of zeros, for `upload`.
  void start(const std::string& name, std::vector<float> values);

  /// Moments of AdamW in 8 bits (ops/adamw.h) instead of 32; before commit.
  void use_moments8() { moments8_ = true; }

  /// Allocates the values and, for training, gradients and optimizer state.
  void commit(vk::Device& device, bool training);

  /// What `start` said goes to the device.
  void upload(vk::Device& device);

  struct Range {
    Tensor value, gradient;  // f32, the same length
    Tensor m, v;             // the same; or codes of 8 bits, and then `largest` (ops/adamw.h)
    Tensor largest;
    ParameterGroup group;
  };
  std::span<const Range> ranges() const { return ranges_; }
  /// The values of every range, for training or not.
  std::vector<Tensor> values() const;
  std::span<const Parameter> all() const { return parameters_; }
  const Parameter& at(const std::string& name) const;

  std::uint64_t trained() const { return trained_; }
  std::uint64_t value_bytes() const;
  std::uint64_t state_bytes() const;  // gradients and moments

 private:
  struct Memory {  // of one group
    ParameterGroup group;
    vk::Arena values, gradients, moments;

    explicit Memory(const ParameterGroup& of);
  };
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<Parameter> parameters_;
  std::map<std::string, std::vector<float>> starts_;
  std::vector<Range> ranges_;
  std::uint64_t trained_ = 0;
  bool moments8_ = false;
};

}  // namespace walsh
