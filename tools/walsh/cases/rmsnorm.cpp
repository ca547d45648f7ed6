#include "ops/rmsnorm.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/rmsnorm_reference.h"

namespace walsh {
namespace {

KernelCase forward(TensorStore& store, std::uint64_t rows, std::uint64_t width) {
  const auto x = normal(rows * width, 1), weight = normal(width, 2);
  const Tensor y = store.empty({rows, width}), rstd = store.empty({rows});
  const Tensor tx = store.f32({rows, width}, x), tweight = store.f32({width}, weight);
  const auto elements = static_cast<double>(rows * width);
  return {.op = "rmsnorm",
          .variant = "forward",
          .shape = fmt::format("{} x {}", rows, width),
          .bytes = 8 * elements,
          .operations = 4 * elements,
          .record = [=](Recorder& rec) { rmsnorm_forward(rec, y, rstd, tx, tweight, 1e-5f); },
          .compare =
              [=, &store] {
                std::vector<double> expected, expected_rstd, magnitude;
                reference::rmsnorm_forward<double>(expected, expected_rstd, {x.begin(), x.end()},
                                                   {weight.begin(), weight.end()}, 1e-5);
                for (const double value : expected) magnitude.push_back(std::abs(value));
                return Comparison{store.read(y), expected, magnitude, static_cast<double>(width)};
              }};
}

// `weight`: the gradient of the weight, not of the input.
KernelCase backward(TensorStore& store, std::uint64_t rows, std::uint64_t width, bool weight) {
  const auto x = normal(rows * width, 1), w = normal(width, 2), dy = normal(rows * width, 3);
  std::vector<double> y, rstd;
  reference::rmsnorm_forward<double>(y, rstd, {x.begin(), x.end()}, {w.begin(), w.end()}, 1e-5);
  const Tensor tx = store.f32({rows, width}, x), tw = store.f32({width}, w),
               tdy = store.f32({rows, width}, dy), trstd = store.f32({rows}, {rstd.begin(), rstd.end()}),
               dx = store.empty({rows, width}), dw = store.zeros({width});
  const auto elements = static_cast<double>(rows * width);
  return {.op = "rmsnorm",
          .variant = weight ? "backward, weight" : "backward",
          .shape = fmt::format("{} x {}", rows, width),
          .bytes = (weight ? 8 : 12) * elements,
          .operations = (weight ? 3 : 8) * elements,
          .record =
              [=](Recorder& rec) {
                if (!weight) return rmsnorm_backward(rec, dx, tdy, tx, trstd, tw);
                rec.clear(dw);
                rmsnorm_backward_weight(rec, dw, tdy, tx, trstd);
              },
          .compare =
              [=, &store] {
                std::vector<double> rdx, rdw, dx_magnitude(rows * width), dw_magnitude(width, 0.0);
                reference::rmsnorm_backward<double>(rdx, rdw, {dy.begin(), dy.end()}, {x.begin(), x.end()},
                                                    rstd, {w.begin(), w.end()});
                // dx is a difference: the sum of both terms, the mean's taken with absolute values. rstd came
                // rounded.
                for (std::size_t r = 0; r < rows; ++r) {
                  double mean = 0;
                  for (std::size_t i = r * width; i < (r + 1) * width; ++i) {
                    mean += std::abs(dy[i] * w[i % width] * x[i] * rstd[r]) / static_cast<double>(width);
                    dw_magnitude[i % width] += std::abs(dy[i] * x[i] * rstd[r]);
                  }
                  for (std::size_t i = r * width; i < (r + 1) * width; ++i)
                    dx_magnitude[i] =
                        rstd[r] * (std::abs(dy[i] * w[i % width]) + std::abs(x[i]) * rstd[r] * mean);
                }
                return weight ? Comparison{store.read(dw), rdw, dw_magnitude, static_cast<double>(rows)}
                              : Comparison{store.read(dx), rdx, dx_magnitude, static_cast<double>(width)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) {
    return {forward(store, 3, 172), forward(store, 130, 576), backward(store, 130, 172, false),
            backward(store, 130, 172, true)};
  }
  return {forward(store, 2048, 4096)};
}

const CaseRegistration registration("rmsnorm", cases);

}  // namespace
}  // namespace walsh
