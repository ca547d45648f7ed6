// Token embedding in plain loops, on any scalar type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace walsh::reference {

template <typename T>
void embedding_forward(std::vector<T>& y, const std::vector<std::uint32_t>& ids, const std::vector<T>& w,
                       std::size_t width) {
  y.assign(ids.size() * width, T(0));
  for (std::size_t t = 0; t < ids.size(); ++t) {
    for (std::size_t c = 0; c < width; ++c) y[t * width + c] = w[ids[t] * width + c];
  }
}

template <typename T>
void embedding_backward(std::vector<T>& dw, const std::vector<T>& dy, const std::vector<std::uint32_t>& ids,
                        std::size_t width) {
  for (std::size_t t = 0; t < ids.size(); ++t) {
    for (std::size_t c = 0; c < width; ++c) dw[ids[t] * width + c] += dy[t * width + c];
  }
}

}  // namespace walsh::reference
