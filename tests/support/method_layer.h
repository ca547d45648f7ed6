// One linear layer of a method with its own memory: projections with a common input, made, started and loaded
// as a model would.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/half.h"
#include "methods/registry.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh::test {

struct LayerShape {
  std::uint32_t columns = 0;
  std::vector<std::pair<std::string, std::uint32_t>> projections;  // module name and rows
  DType dtype = DType::bf16;
  bool bias = false;
};

struct LayerOptions {
  std::string method;
  std::uint32_t bits = 4, rank = 3;
  int group_size = -1;
  double alpha = 1;
  std::string targets = "q,k,v,o,gate,up,down";
  DType scale_dtype = DType::f16;
  std::map<std::string, std::string> set = {};
  std::uint32_t tokens = 16;
};

class MethodLayer {
 public:
  MethodLayer(const LayerShape& shape, const LayerOptions& o)
      : weights_("weights"), frozen_("frozen"), layer_shape_(shape) {
    const MethodEntry& entry = find_method(o.method);
    std::uint32_t widest = shape.columns;
    for (const auto& [name, rows] : shape.projections) widest = std::max(widest, rows);
    method_ = entry.make({.arena = frozen_,
                          .parameters = parameters_,
                          .method = o.method,
                          .tokens = o.tokens,
                          .widest = widest,
                          .rank = o.rank,
                          .alpha = o.alpha,
                          .bits = o.bits,
                          .group_size = o.group_size,
                          .symmetric = false,
                          .scale_dtype = o.scale_dtype,
                          .targets = o.targets,
                          .model = "test",
                          .set = o.set,
                          .seed = 5});
    std::vector<BaseWeight> list;
    for (const auto& [name, rows] : shape.projections) {
      const Shape of{rows, shape.columns};
      list.push_back({.name = name,
                      .rows = rows,
                      .columns = shape.columns,
                      .dense = method_->reserve_weight(weights_, name + ".weight", shape.dtype, of),
                      .quantized = {},
                      .bias = {}});
      if (shape.bias) list.back().bias = {reserve(weights_, DType::f32, {rows}), {}};
    }
    linear_ = method_->make_linear(std::move(list));
    start();
  }

  Method& method() { return *method_; }
  Linear& linear() { return *linear_; }
  Parameters& parameters() { return parameters_; }
  std::uint64_t frozen_bytes() const { return frozen_.bytes(); }
  const std::vector<float>& weight(std::size_t i) const { return values_[i]; }  // W0
  const std::vector<float>& bias(std::size_t i) const { return biases_[i]; }

  std::vector<float> value(const std::string& name) { return read(parameters_.at(name).value); }
  std::vector<float> gradient(const std::string& name) { return read(parameters_.at(name).gradient); }
  void set(const std::string& name, const std::vector<float>& values) {
    device().upload(parameters_.at(name).value, values);
  }
  /// Adds normal numbers of this spread to a parameter.
  void disturb(const std::string& name, float spread, std::uint64_t seed) {
    auto values = value(name);
    const auto noise = normal(values.size(), seed);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += spread * noise[i];
    set(name, values);
  }

  /// y of every projection, and, given dy, dx; gradients add to the parameters'.
  struct Pass {
    std::vector<std::vector<float>> y;
    std::vector<float> dx;
  };
  Pass pass(const std::vector<float>& x, const std::vector<std::vector<float>>& dy = {}) {
    const std::uint64_t columns = layer_shape_.columns, tokens = x.size() / columns;
    Tensors t;
    const Tensor tx = t.f32({tokens, columns}, x), dx = t.empty({tokens, columns});
    std::vector<Tensor> y, tdy;
    for (std::size_t i = 0; i < linear_->weights().size(); ++i) {
      const Shape shape{tokens, linear_->weights()[i].rows};
      y.push_back(t.empty(shape));
      if (!dy.empty()) tdy.push_back(t.f32(shape, dy[i]));
    }
    run([&](vk::Recorder& rec) {
      linear_->prepare(rec);
      linear_->forward(rec, y, tx);
      if (!dy.empty()) linear_->backward(rec, dx, tdy, tx);
    });
    Pass out;
    for (const Tensor& tensor : y) out.y.push_back(read(tensor));
    if (!dy.empty()) out.dx = read(dx);
    return out;
  }

 private:
  void start() {
    for (std::size_t i = 0; i < layer_shape_.projections.size(); ++i) {
      const auto& [name, rows] = layer_shape_.projections[i];
      values_.push_back(normal(std::size_t{rows} * layer_shape_.columns, 100 + i));
      for (float& w : values_[i]) w = bf16_to_float(float_to_bf16(0.05f * w));
      biases_.push_back(layer_shape_.bias ? normal(rows, 200 + i) : std::vector<float>{});
      if (!is_target(method_->setup().targets, name)) continue;
      method_->start({.name = name,
                      .index = static_cast<std::uint32_t>(i),
                      .rows = rows,
                      .columns = layer_shape_.columns,
                      .base = nullptr,
                      .original = values_[i],
                      .gram = {}});
    }
    for (vk::Arena* arena : {&weights_, &frozen_}) arena->commit(device());
    parameters_.commit(device(), true);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const BaseWeight& w = linear_->weights()[i];
      if (!w.dense) {
        linear_->load(device(), i, values_[i]);
      } else if (layer_shape_.dtype == DType::f32) {
        device().upload(w.dense.value, values_[i]);
      } else {
        std::vector<std::uint16_t> halves;
        for (const float v : values_[i])
          halves.push_back(layer_shape_.dtype == DType::bf16 ? float_to_bf16(v) : float_to_f16(v));
        device().upload(w.dense.value, halves);
      }
      if (w.bias) device().upload(w.bias.value, biases_[i]);
    }
    parameters_.upload(device());
    method_->upload(device());
  }

  vk::Arena weights_, frozen_;
  Parameters parameters_;
  LayerShape layer_shape_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<Linear> linear_;
  std::vector<std::vector<float>> values_, biases_;
};

}  // namespace walsh::test
