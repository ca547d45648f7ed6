// G += XᵀX over the passes of a recording, X [T, n] the input of a linear layer: fp32 products of one pass,
// fp64 sums over passes. On a GPU the product runs there; a CPU driver's host does it faster itself, and only
// one triangle of it.
#pragma once

#include <vector>

#include "tensor/tensor.h"
#include "vk/device.h"
#include "vk/recorder.h"

namespace walsh {

class GramSum {
 public:
  /// `total` [n, n] is kept; it starts at zero where it is empty.
  GramSum(vk::Arena& arena, const vk::Device& device, const Tensor& input, std::vector<double>& total);

  void record(vk::Recorder& rec) const;
  /// After each pass.
  void take(vk::Device& device);
  /// After the last one.
  void finish();

 private:
  Tensor input_;
  Tensor product_;  // f32 [n, n]; empty where the host computes
  std::vector<double>* total_;
};

}  // namespace walsh
