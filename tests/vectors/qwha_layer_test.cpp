// One QWHA layer on the device against its vectors (arXiv 2509.17428, section 3.1; κ = s / (n·√m)):
//   y = x·W_qᵀ + κ·x̂·Fᵀ + bias,  x̂ = x·H_r
//   ∂L/∂c = κ · (gᵀ·x̂ at the support),  ∂L/∂x = g·W_q + κ·(g·F)·H_rᵀ
// The base weight is dequantised on the host, because the vectors' scales are not of 16 bits; the rest is the
// sequence of dispatches that a layer records.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "ops/hadamard.h"
#include "ops/matmul.h"
#include "ops/sddmm.h"
#include "ops/spmm.h"
#include "ops/transpose.h"
#include "tests/support/sparse.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

/// y += κ·(x·H_r)·Fᵀ. Leaves the transposed spectrum in xt, [n, T], for other layers with the same input.
void adapter_forward(Recorder& rec, const Tensor& y, const Tensor& spectrum, const Tensor& xt,
                     const Tensor& x, const Tensor& c, const HadamardTransform& h, const SparseTensor& f,
                     float kappa) {
  hadamard(rec, spectrum, x, h, false, 1);
  transpose(rec, xt, spectrum);
  spmm_forward(rec, y, xt, c, f, kappa, true);
}

/// dc += κ·(gᵀ·x̂)|F and dx += κ·(g·F)·H_rᵀ. xt as the forward leaves it; spectrum, [T, n], and gt, [m, T],
/// are scratch.
void adapter_backward(Recorder& rec, const Tensor& dx, const Tensor& dc, const Tensor& spectrum,
                      const Tensor& gt, const Tensor& g, const Tensor& xt, const Tensor& c,
                      const HadamardTransform& h, const SparseTensor& f, float kappa) {
  transpose(rec, gt, g);
  sddmm(rec, dc, gt, xt, f, kappa);
  spmm_backward(rec, spectrum, gt, c, f, kappa, false);
  hadamard(rec, dx, spectrum, h, true, 1, true);
}

/// W_q [m, n], or zeros where the case has no base.
std::vector<float> base_weight(const VectorCase& c, std::size_t m, std::size_t n) {
  std::vector<float> w(m * n, 0.0f);
  if (!c.json.at("inputs").contains("codes")) return w;
  const VectorTensor codes = c.input("codes"), scales = c.input("scales"), zeros = c.input("zeros");
  const std::size_t groups = scales.shape.at(1);
  for (std::size_t i = 0; i < m * n; ++i) {
    const std::size_t k = i / n * groups + i % n / (n / groups);
    w[i] = static_cast<float>(scales.data[k] * (codes.data[i] - zeros.data[k]));
  }
  return w;
}

TEST(vectors, qwha_layer) {
  WALSH_NEEDS_VECTORS("qwha_layer");
  VectorReport report;
  for (const VectorCase& c : load_vectors("qwha_layer")) {
    const auto n = c.param<std::uint32_t>("n"), m = c.param<std::uint32_t>("m");
    const auto kappa = static_cast<float>(c.param<double>("kappa"));
    const SparseMatrix support{m, n, c.input("row_ptr").as<std::uint32_t>(),
                               c.input("col").as<std::uint16_t>()};
    const DeviceSupport f(support);
    vk::Arena arena("qwha vectors");
    HadamardTransform h(arena, n);
    arena.commit(device());
    h.upload(device());
    ASSERT_EQ(h.layout().bases, c.param<std::vector<std::uint32_t>>("bases")) << c.name;

    const std::uint64_t tokens = c.input("x").shape.at(0);
    Tensors t;
    const Tensor x = t.f32({tokens, n}, c.input("x").as<float>()),
                 g = t.f32({tokens, m}, c.input("gy").as<float>());
    const Tensor coefficients = t.f32({support.nonzeros()}, c.input("c").as<float>()),
                 dc = t.zeros({support.nonzeros()});
    const Tensor w = t.f32({m, n}, base_weight(c, m, n));
    const Tensor bias =
        c.json.at("inputs").contains("bias") ? t.f32({m}, c.input("bias").as<float>()) : Tensor{};
    const Tensor y = t.empty({tokens, m}), dx = t.empty({tokens, n});
    const Tensor spectrum = t.empty({tokens, n}), xt = t.empty({n, tokens}), gt = t.empty({m, tokens});
    run([&](Recorder& rec) {
      matmul_forward(rec, y, x, w, bias);
      adapter_forward(rec, y, spectrum, xt, x, coefficients, h, f, kappa);
    });
    if (c.expects("x_hat")) c.compare("x_hat", read(spectrum));
    run([&](Recorder& rec) {
      matmul_backward(rec, dx, g, w);
      adapter_backward(rec, dx, dc, spectrum, gt, g, xt, coefficients, h, f, kappa);
    });
    const bool alone = c.expects("y_adapter");
    c.compare(alone ? "y_adapter" : "y", read(y));
    c.compare("dc", read(dc));
    c.compare(alone ? "dx_adapter" : "dx", read(dx));
    report.compared(true);
  }
}

}  // namespace
}  // namespace walsh::test
