#include "methods/linear.h"

#include "base/error.h"
#include "ops/matmul.h"
#include "ops/quant_matmul.h"

namespace walsh {

void Linear::load(vk::Device&, std::size_t i, std::span<const float>) {
  refuse("{}: the method reserved no memory for this weight and takes none", weights_[i].name);
}

void Linear::forward_base(vk::Recorder& rec, std::span<const Tensor> y, const Tensor& x) const {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const BaseWeight& w = weights_[i];
    if (w.is_quantized()) {
      quant_matmul_forward(rec, y[i], x, w.quantized, w.bias);
    } else {
      matmul_forward(rec, y[i], x, w.dense, w.bias);
    }
  }
}

void Linear::backward_base(vk::Recorder& rec, const Tensor& dx, std::span<const Tensor> dy) const {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const BaseWeight& w = weights_[i];
    const bool accumulate = i > 0;
    if (w.is_quantized()) {
      quant_matmul_backward(rec, dx, dy[i], w.quantized, accumulate);
    } else {
      matmul_backward(rec, dx, dy[i], w.dense, accumulate);
    }
  }
}

}  // namespace walsh
