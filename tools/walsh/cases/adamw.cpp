#include "ops/adamw.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/adamw_reference.h"

namespace walsh {
namespace {

// The first step, from moments of zero, with them in 32 or 8 bits. A check starts from fresh tensors; a
// measurement does without. Of moments in 8 bits the largest ones are compared: a code may be one level off
// where a value is at a level.
KernelCase first_step(TensorStore& store, std::uint64_t n, bool in_8_bits, bool check) {
  const AdamwOptions options{.weight_decay = 0.1};
  const float rate = 0.01f, clip = 0.5f;
  const std::uint32_t key = 3;
  const std::uint64_t blocks = (n + Moments8::block - 1) / Moments8::block;
  const auto start = normal(n, 1), g = normal(n, 2);
  const Tensor fresh = check ? store.f32({n}, start) : Tensor{},
               fresh_gradient = check ? store.f32({n}, g) : Tensor{};
  const Tensor parameter = store.f32({n}, start), gradient = store.f32({n}, g),
               norm = store.f32({2}, {2, clip}),
               step = store.f32({4}, {rate, static_cast<float>(1 - options.beta1),
                                      static_cast<float>(1 - options.beta2), 1});
  Tensor m, v, largest;
  if (in_8_bits) {
    const std::vector<std::uint32_t> none(blocks * Moments8::block / 4);
    m = store.u32({blocks, Moments8::block / 4}, none);
    v = store.u32({blocks, Moments8::block / 4}, none);
    largest = store.zeros({blocks, 2});
  } else {
    m = store.zeros({n});
    v = store.zeros({n});
  }
  KernelCase result{.op = "adamw",
                    .variant = in_8_bits ? "moments in 8 bits" : "moments in 32 bits",
                    .shape = fmt::format("{}", n),
                    .bytes = (in_8_bits ? 20 : 32) * static_cast<double>(n),
                    .operations = (in_8_bits ? 100 : 16) * static_cast<double>(n),
                    .record =
                        [=](Recorder& rec) {
                          if (check) {
                            rec.copy(parameter, fresh);
                            rec.copy(gradient, fresh_gradient);
                            for (const Tensor& tensor : {m, v, largest})
                              if (tensor) rec.clear(tensor);
                          }
                          if (in_8_bits) {
                            adamw8(rec, parameter, gradient, {m, v, largest}, step, norm, options, key);
                          } else {
                            adamw(rec, parameter, gradient, m, v, step, norm, options);
                          }
                        },
                    .compare = {}};
  if (!check) return result;
  result.compare = [=, &store] {
    Comparison comparison{store.read(parameter), {}, {}, 10};
    for (const float value : start)
      comparison.magnitude.push_back(std::abs(value) + rate * (1 + 0.1 * std::abs(value)));
    if (!in_8_bits) {
      comparison.expected.assign(start.begin(), start.end());
      std::vector<double> rm(n, 0), rv(n, 0);
      reference::adamw<double>(comparison.expected, {g.begin(), g.end()}, rm, rv, 1, rate, clip, options);
      return comparison;
    }
    std::vector<float> expected = start;
    reference::HostMoments8 host{std::vector<std::uint8_t>(n), std::vector<std::uint8_t>(n),
                                 std::vector<std::array<float, 2>>(blocks)};
    reference::adamw8(expected, g, host, 1, rate, clip, options, key);
    comparison.expected.assign(expected.begin(), expected.end());
    for (const float value : store.read(largest)) comparison.got.push_back(value);
    for (const auto& pair : host.largest) {
      for (const float value : pair) {
        comparison.expected.push_back(value);
        comparison.magnitude.push_back(value);
      }
    }
    return comparison;
  };
  return result;
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check)
    return {first_step(store, 1031, false, true), first_step(store, 1031, true, true)};
  return {first_step(store, 1 << 24, false, false), first_step(store, 1 << 24, true, false)};
}

const CaseRegistration registration("adamw", cases);

}  // namespace
}  // namespace walsh
