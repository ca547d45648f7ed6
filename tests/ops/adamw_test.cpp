#include "ops/adamw.h"

#include "ops/adamw_reference.h"
#include "ops/global_norm.h"
#include "ops/global_norm_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

std::vector<float> step_words(int t, double learning_rate, const AdamwOptions& options) {
  return {static_cast<float>(learning_rate), static_cast<float>(1 - std::pow(options.beta1, t)),
          static_cast<float>(1 - std::pow(options.beta2, t)), 0};
}

struct Case {
  std::uint64_t elements;
  double weight_decay;
  float max_norm;
  float rate_scale;
};
class AdamwSteps : public testing::TestWithParam<Case> {};

// Several steps of one recording, the last two with a zero gradient, against the reference in double.
TEST_P(AdamwSteps, device_agrees_with_reference) {
  const auto [n, weight_decay, max_norm, rate_scale] = GetParam();
  const AdamwOptions options{.weight_decay = weight_decay};
  const double learning_rate = 0.01;
  const int steps = 6;
  const auto start = normal(n, 1);
  test::Tensors t;
  const Tensor parameter = t.f32({n}, start), gradient = t.empty({n}), m = t.zeros({n}), v = t.zeros({n}),
               step = t.empty({4}), norm = t.empty({2});
  const std::vector<Tensor> gradients = {gradient};
  const Tensor scratch = t.empty({global_norm_scratch(gradients)});
  vk::Recorder rec(test::device());
  global_norm(rec, norm, gradients, scratch, max_norm);
  adamw(rec, parameter, gradient, m, v, step, norm, options, rate_scale);
  vk::Recording recording = rec.finish();

  std::vector<double> p = cast<double>(start), rm(n, 0), rv(n, 0), m_magnitude(n, 0), magnitude(n);
  for (std::size_t i = 0; i < n; ++i) magnitude[i] = std::abs(p[i]);
  for (int s = 1; s <= steps; ++s) {
    auto g = s > steps - 2 ? std::vector<float>(n, 0.0f) : normal(n, 10 + static_cast<std::uint64_t>(s));
    if (n > 1) g[1] = 0;  // a parameter that never has a gradient
    test::device().upload(gradient, g);
    test::device().upload(step, step_words(s, learning_rate, options));
    test::device().wait(test::device().submit(recording));
    const auto dg = cast<double>(g);
    const double clip = reference::global_norm<double>({dg}, max_norm)[1];
    reference::adamw(p, dg, rm, rv, s, learning_rate * rate_scale, clip, options);
    for (std::size_t i = 0; i < n; ++i) {
      m_magnitude[i] = 0.9 * m_magnitude[i] + 0.1 * std::abs(dg[i] * clip);
      const double scaled = m_magnitude[i] / (1 - std::pow(options.beta1, s));
      const double root = std::sqrt(rv[i] / (1 - std::pow(options.beta2, s)));
      magnitude[i] +=
          learning_rate * rate_scale * (scaled / (root + options.epsilon) + weight_decay * std::abs(p[i]));
    }
    EXPECT_EQ(test::read(gradient), std::vector<float>(n, 0.0f)) << "zeroed for the next accumulation";
  }
  // A step adds about ten roundings; where it clips, the sum of the norm adds its length.
  const double length = 10 * steps + (max_norm > 0 ? static_cast<double>(n) : 0);
  test::expect_close(test::read(parameter), p, magnitude, length, "parameter");
  test::expect_close(test::read(m), rm, m_magnitude, length, "m");
  test::expect_close(test::read(v), rv, rv, length, "v");
}

INSTANTIATE_TEST_SUITE_P(cases, AdamwSteps,
                         testing::Values(Case{1, 0, 0, 1}, Case{300, 0.1, 0, 1}, Case{1000, 0.01, 1, 1},
                                         Case{257, 0.1, 1, 0.25f}));

TEST(adamw, weight_decay_alone_shrinks) {
  test::Tensors t;
  const AdamwOptions options{.weight_decay = 0.5};
  const Tensor parameter = t.f32({3}, {1, -2, 4}), gradient = t.zeros({3}), m = t.zeros({3}),
               v = t.zeros({3}), step = t.f32({4}, step_words(1, 0.25, options)), norm = t.f32({2}, {0, 1});
  test::run([&](Recorder& rec) { adamw(rec, parameter, gradient, m, v, step, norm, options); });
  EXPECT_EQ(test::read(parameter), (std::vector<float>{0.875f, -1.75f, 3.5f}));
}

TEST(adamw, a_norm_that_is_not_finite_changes_nothing_but_the_gradient) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    test::Tensors t;
    const AdamwOptions options{.weight_decay = 0.5};
    const Tensor parameter = t.f32({2}, {1, 2}), gradient = t.f32({2}, {3, bad}), m = t.f32({2}, {4, 5}),
                 v = t.f32({2}, {6, 7}), step = t.f32({4}, step_words(3, 0.25, options)),
                 norm = t.f32({2}, {bad, 1});
    test::run([&](Recorder& rec) { adamw(rec, parameter, gradient, m, v, step, norm, options); });
    EXPECT_EQ(test::read(parameter), (std::vector<float>{1, 2}));
    EXPECT_EQ(test::read(gradient), (std::vector<float>{0, 0}));
    EXPECT_EQ(test::read(m), (std::vector<float>{4, 5}));
    EXPECT_EQ(test::read(v), (std::vector<float>{6, 7}));
  }
}

TEST(adamw, refuses_by_name) {
  test::Tensors t;
  const Tensor x = t.empty({3}), step = t.empty({3}), norm = t.empty({2});
  vk::Recorder rec(test::device());
  try {
    adamw(rec, x, x, x, x, step, norm, {});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "adamw: step has shape [3], expected [4]");
  }
  EXPECT_THROW(adamw(rec, x, x, x, x, x, norm, {.beta1 = 1}), Error);
}

}  // namespace
}  // namespace walsh
