#include "ops/adamw.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/adamw_reference.h"

namespace walsh {
namespace {

// The first step, from m = v = 0. A check starts from fresh tensors; a measurement does without.
KernelCase first_step(TensorStore& store, std::uint64_t n, bool check) {
  const AdamwOptions options{.weight_decay = 0.1};
  const float rate = 0.01f, clip = 0.5f;
  const auto start = normal(n, 1), g = normal(n, 2);
  const Tensor fresh = check ? store.f32({n}, start) : Tensor{},
               fresh_gradient = check ? store.f32({n}, g) : Tensor{};
  const Tensor parameter = store.f32({n}, start), gradient = store.f32({n}, g), m = store.zeros({n}),
               v = store.zeros({n}), norm = store.f32({2}, {2, clip}),
               step = store.f32({4}, {rate, static_cast<float>(1 - options.beta1),
                                      static_cast<float>(1 - options.beta2), 0});
  KernelCase result{.op = "adamw",
                    .variant = "weight decay, clipped",
                    .shape = fmt::format("{}", n),
                    .bytes = 32 * static_cast<double>(n),
                    .operations = 16 * static_cast<double>(n),
                    .record =
                        [=](Recorder& rec) {
                          if (check) {
                            rec.copy(parameter, fresh);
                            rec.copy(gradient, fresh_gradient);
                            rec.clear(m);
                            rec.clear(v);
                          }
                          adamw(rec, parameter, gradient, m, v, step, norm, options);
                        },
                    .compare = {}};
  if (!check) return result;
  result.compare = [=, &store] {
    std::vector<double> expected(start.begin(), start.end()), rm(n, 0), rv(n, 0), magnitude;
    reference::adamw<double>(expected, {g.begin(), g.end()}, rm, rv, 1, rate, clip, options);
    for (const float value : start) magnitude.push_back(std::abs(value) + rate * (1 + 0.1 * std::abs(value)));
    return Comparison{store.read(parameter), expected, magnitude, 10};
  };
  return result;
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check) return {first_step(store, 1031, true)};
  return {first_step(store, 1 << 24, false)};
}

const CaseRegistration registration("adamw", cases);

}  // namespace
}  // namespace walsh
