#include "ops/matmul.h"

#include <cmath>

#include "base/half.h"
#include "kernel_case.h"
#include "ops/matmul_reference.h"

namespace walsh {
namespace {

struct Sizes {
  std::uint64_t tokens, n, m;
};

std::vector<double> wide(const std::vector<float>& values, bool absolute) {
  std::vector<double> out;
  for (const float value : values) out.push_back(absolute ? std::abs(static_cast<double>(value)) : value);
  return out;
}

// The reference of one of the products, on the values or on their absolutes (the magnitude).
enum class Product { forward, backward, backward_weight };
std::vector<double> expected(Product product, const std::vector<float>& x, const std::vector<float>& w,
                             const std::vector<float>& dy, const Sizes& size, bool absolute) {
  const auto X = wide(x, absolute), W = wide(w, absolute), DY = wide(dy, absolute);
  std::vector<double> y, dx, dw, dbias;
  if (product == Product::forward) {
    reference::matmul_forward(y, X, W, {}, size.m, size.n);
    return y;
  }
  reference::matmul_backward(dx, dw, dbias, DY, X, W, size.m, size.n);
  return product == Product::backward ? dx : dw;
}

KernelCase make(TensorStore& store, Product product, DType type, const Sizes& size) {
  const auto [tokens, n, m] = size;
  const auto x = normal(tokens * n, 1), dy = normal(tokens * m, 2);
  auto w = normal(m * n, 3);
  const Tensor tx = store.f32({tokens, n}, x), tdy = store.f32({tokens, m}, dy);
  const Tensor tw = type == DType::f32 ? store.f32({m, n}, w) : store.half(type, {m, n}, w);
  if (type != DType::f32) {
    for (float& value : w)
      value = type == DType::f16 ? f16_to_float(float_to_f16(value)) : bf16_to_float(float_to_bf16(value));
  }
  KernelCase kernel{.op = "matmul",
                    .variant = {},
                    .shape = fmt::format("{} x {} x {}", tokens, n, m),
                    .bytes = static_cast<double>(4 * tokens * (n + m) + m * n * size_of(type)),
                    .operations = 2.0 * static_cast<double>(tokens * n * m),
                    .products = true,
                    .record = {},
                    .compare = {}};
  Tensor out;
  double length = 0;
  switch (product) {
    case Product::forward:
      out = store.empty({tokens, m});
      length = static_cast<double>(n);
      kernel.variant = fmt::format("forward, {}", name_of(type));
      kernel.record = [=](Recorder& rec) { matmul_forward(rec, out, tx, tw); };
      break;
    case Product::backward:
      out = store.empty({tokens, n});
      length = static_cast<double>(m);
      kernel.variant = fmt::format("backward, {}", name_of(type));
      kernel.record = [=](Recorder& rec) { matmul_backward(rec, out, tdy, tw); };
      break;
    case Product::backward_weight:
      out = store.empty({m, n});
      length = static_cast<double>(tokens);
      kernel.variant = "backward_weight";
      kernel.record = [=](Recorder& rec) {
        rec.clear(out);
        matmul_backward_weight(rec, out, tdy, tx);
      };
      break;
  }
  kernel.compare = [=, &store] {
    return Comparison{store.read(out), expected(product, x, w, dy, size, false),
                      expected(product, x, w, dy, size, true), length};
  };
  return kernel;
}

KernelCase bias_gradient(TensorStore& store, std::uint64_t tokens, std::uint64_t m) {
  const auto dy = normal(tokens * m, 2);
  const Tensor dbias = store.zeros({m}), tdy = store.f32({tokens, m}, dy);
  return {.op = "matmul",
          .variant = "backward_bias",
          .shape = fmt::format("{} x {}", tokens, m),
          .bytes = 4 * static_cast<double>(dy.size()),
          .operations = static_cast<double>(dy.size()),
          .record =
              [=](Recorder& rec) {
                rec.clear(dbias);
                matmul_backward_bias(rec, dbias, tdy);
              },
          .compare =
              [=, &store] {
                std::vector<double> sums(m, 0.0), magnitude(m, 0.0);
                for (std::size_t i = 0; i < dy.size(); ++i) {
                  sums[i % m] += dy[i];
                  magnitude[i % m] += std::abs(dy[i]);
                }
                return Comparison{store.read(dbias), sums, magnitude, static_cast<double>(tokens)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  std::vector<KernelCase> list;
  if (size == CaseSize::check) {
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
      list.push_back(make(store, Product::forward, type, {5, 172, 33}));
      list.push_back(make(store, Product::backward, type, {33, 129, 65}));
    }
    list.push_back(make(store, Product::forward, DType::f32, {128, 96, 256}));
    list.push_back(make(store, Product::backward_weight, DType::f32, {40, 172, 33}));
    list.push_back(bias_gradient(store, 70, 33));
    return list;
  }
  const Sizes shape = size == CaseSize::standard ? Sizes{512, 896, 1024} : Sizes{512, 2048, 2048};
  for (const Product product : {Product::forward, Product::backward, Product::backward_weight})
    list.push_back(make(store, product, DType::f32, shape));
  list.push_back(make(store, Product::forward, DType::bf16, shape));
  if (size == CaseSize::all) {
    list.push_back(make(store, Product::forward, DType::bf16, {1, 2048, 8192}));
    for (const Product product : {Product::forward, Product::backward})
      list.push_back(make(store, product, DType::bf16, {2048, 4096, 14336}));
  }
  return list;
}

const CaseRegistration registration("matmul", cases);

}  // namespace
}  // namespace walsh
