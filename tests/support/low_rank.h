// Low-rank products of a layer under test, in double and on the device, as src/methods records them.
#pragma once

#include <vector>

#include "ops/matmul.h"
#include "ops/matmul_reference.h"

namespace walsh::test {

/// B·A, B [m, r], A [r, n].
template <typename T>
std::vector<T> low_rank_product(const std::vector<T>& b, const std::vector<T>& a, std::size_t m,
                                std::size_t n) {
  const std::size_t r = b.size() / m;
  std::vector<T> product(m * n, T(0));
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t k = 0; k < r; ++k) {
      for (std::size_t j = 0; j < n; ++j) product[i * n + j] += b[i * r + k] * a[k * n + j];
    }
  }
  return product;
}

/// dB = H·Aᵀ and dA = Bᵀ·H for H = ∂L/∂(B·A).
template <typename T>
void low_rank_backward(std::vector<T>& db, std::vector<T>& da, const std::vector<T>& h,
                       const std::vector<T>& b, const std::vector<T>& a, std::size_t m, std::size_t n) {
  const std::size_t r = b.size() / m;
  db.assign(b.size(), T(0));
  da.assign(a.size(), T(0));
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t k = 0; k < r; ++k) {
      for (std::size_t j = 0; j < n; ++j) {
        db[i * r + k] += h[i * n + j] * a[k * n + j];
        da[k * n + j] += b[i * r + k] * h[i * n + j];
      }
    }
  }
}

/// The weight's gradient G = dyᵀ·x and dx = dy·w.
template <typename T>
std::vector<T> weight_gradient(std::vector<T>& dx, const std::vector<T>& dy, const std::vector<T>& x,
                               const std::vector<T>& w, std::size_t m, std::size_t n) {
  std::vector<T> g, bias;
  dx.clear();
  reference::matmul_backward(dx, g, bias, dy, x, w, m, n);
  return g;
}

/// The same on the device.
struct LowRankTensors {
  Tensor b, a, product, db, da;

  template <typename Store>
  LowRankTensors(Store& t, const std::vector<float>& vb, const std::vector<float>& va, std::uint64_t m,
                 std::uint64_t n)
      : b(t.f32({m, vb.size() / m}, vb)),
        a(t.f32({va.size() / n, n}, va)),
        product(t.empty({m, n})),
        db(t.empty({m, vb.size() / m})),
        da(t.zeros({va.size() / n, n})) {}

  void multiply(Recorder& rec) const { matmul_backward(rec, product, b, a); }
  void backward(Recorder& rec, const Tensor& h) const {
    matmul_forward(rec, db, h, a);
    matmul_backward_weight(rec, da, b, h);
  }
};

}  // namespace walsh::test
