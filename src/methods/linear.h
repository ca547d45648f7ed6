// A fine-tuning method is a linear layer. The model holds four of these a transformer layer (q, k and v; o;
// gate and up; down) and never asks which method it has.
//
// One object stands for all projections that read the same input, so that what a method derives from the
// input (the transform of QWHA, the inner product of LoRA) is computed once:
//   y_i = x·W_iᵀ + bias_i    for every projection i
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/quant_matmul.h"
#include "ops/rmsnorm.h"
#include "tensor/quantized_tensor.h"
#include "tensor/tensor.h"
#include "vk/recorder.h"

namespace walsh {

/// A weight of the model on the device: frozen, or with a gradient where the method trains it.
struct Weight {
  Tensor value;
  Tensor gradient;  // f32 of the same shape; empty where frozen

  explicit operator bool() const { return static_cast<bool>(value); }
  operator const Tensor&() const { return value; }  // NOLINT: it stands for its value in an op
};

/// The weight of one projection, as the base holds it: dense or quantised, with its bias.
struct BaseWeight {
  std::string name;        // Hugging Face module name, "model.layers.0.self_attn.q_proj"
  std::uint32_t rows = 0;  // m, outputs
  std::uint32_t columns = 0;
  Weight dense;               // f32, f16 or bf16 [rows, columns]; empty where quantised
  QuantizedTensor quantized;  // where bits > 0
  Weight bias;                // f32 [rows], or empty
  /// Where the quantised columns stand in another order than the inputs (QuantizedMatrix::position): the
  /// input of each stored column and the stored column of each input, u32 [columns]; otherwise empty.
  Tensor input_of = {}, position = {};

  bool is_quantized() const { return quantized.bits > 0; }
};

class Linear {
 public:
  explicit Linear(std::vector<BaseWeight> weights) : weights_(std::move(weights)) {}
  virtual ~Linear() = default;

  /// Recorded once an optimizer step, before its micro-steps, and once before an evaluation: derives from the
  /// parameters what does not change between two updates. Doing it twice gives the same.
  virtual void prepare(vk::Recorder&) {}

  /// y_i = x·W_iᵀ + bias_i. x: f32 [T, columns], y_i: f32 [T, rows_i].
  virtual void forward(vk::Recorder& rec, std::span<const Tensor> y, const Tensor& x) = 0;

  /// The same of x = norm.y, which is computed first: a method may join the norm with what it does to x.
  virtual void forward_of_norm(vk::Recorder& rec, std::span<const Tensor> y, const Norm& norm) {
    rmsnorm_forward(rec, norm);
    forward(rec, y, norm.y);
  }

  /// dx = Σ_i dy_i·W_i, unless dx is empty; parameter gradients += theirs. Recomputes what it needs from x.
  virtual void backward(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor& x) = 0;

  /// The same with x = norm.y, which is computed again; dx is still its gradient.
  virtual void backward_of_norm(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy,
                                const Norm& norm) {
    rmsnorm_forward(rec, norm);
    backward(rec, dx, dy, norm.y);
  }

  /// Takes the dense weight of projection i where the method holds it in a form of its own: where it answered
  /// Method::reserve_weight with nothing. Called while the model loads.
  virtual void load(vk::Device& device, std::size_t i, std::span<const float> weight);

  std::span<const BaseWeight> weights() const { return weights_; }
  /// Room for inputs in the order of stored columns, f32 [T, columns] of any pass; needed where a weight has
  /// such an order. Passes may overwrite it.
  void use_reordered(const Tensor& scratch) { reordered_ = scratch; }
  bool needs_reordered() const;

 protected:
  /// The base: y_i = x·W_iᵀ + bias_i, dx = Σ_i dy_i·W_i.
  void forward_base(vk::Recorder& rec, std::span<const Tensor> y, const Tensor& x) const;
  void backward_base(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy) const;

  std::vector<BaseWeight> weights_;

 private:
  Tensor reordered_for(const Tensor& x) const;
  /// The base's products with y or dy, if all weights are quantised and in the order of the inputs.
  std::vector<QuantPart> quantized_parts(std::span<const Tensor> y) const;
  Tensor reordered_;
};

/// No adapter: evaluation of a model as it stands.
class FrozenLinear final : public Linear {
 public:
  using Linear::Linear;
  void forward(vk::Recorder& rec, std::span<const Tensor> y, const Tensor& x) override {
    forward_base(rec, y, x);
  }
  void backward(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor&) override {
    if (dx) backward_base(rec, dx, dy);
  }
  void backward_of_norm(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy,
                        const Norm& norm) override {
    backward(rec, dx, dy, norm.y);  // which it does not look at
  }
};

}  // namespace walsh
