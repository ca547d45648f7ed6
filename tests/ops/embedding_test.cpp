#include "ops/embedding.h"

#include "base/half.h"
#include "base/philox.h"
#include "ops/embedding_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

// Tokens with many repetitions, also across the kernel's runs of 256.
std::vector<std::uint32_t> tokens(std::size_t count, std::uint32_t vocabulary, std::uint64_t seed) {
  const auto random = normal(count, seed);
  std::vector<std::uint32_t> ids(count);
  for (std::size_t t = 0; t < count; ++t)
    ids[t] = static_cast<std::uint32_t>(std::abs(random[t]) * 1e4f) % vocabulary;
  return ids;
}

TEST(embedding, reference_gradient) {
  const std::vector<std::uint32_t> ids = {2, 0, 2, 3, 2};
  const std::size_t width = 3;
  const auto w = cast<double>(normal(4 * width, 1)), dy = cast<double>(normal(ids.size() * width, 2));
  std::vector<double> dw(w.size(), 0);
  reference::embedding_backward(dw, dy, ids, width);
  test::expect_gradient(
      w, dw,
      [&](const auto& cw) {
        std::vector<test::Complex> y;
        reference::embedding_forward(y, ids, cw, width);
        test::Complex sum = 0;
        for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
        return sum;
      },
      "dw");
}

struct Case {
  std::uint64_t tokens, vocabulary, width;
};
class EmbeddingShapes : public testing::TestWithParam<Case> {};

TEST_P(EmbeddingShapes, forward_is_exact) {
  const auto [count, vocabulary, width] = GetParam();
  const auto ids = tokens(count, static_cast<std::uint32_t>(vocabulary), 3);
  const auto values = normal(vocabulary * width, 4);
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    auto stored = values;
    for (float& value : stored) {
      if (type == DType::f16) value = f16_to_float(float_to_f16(value));
      if (type == DType::bf16) value = bf16_to_float(float_to_bf16(value));
    }
    test::Tensors t;
    const Tensor y = t.empty({count, width}), tids = t.u32({count}, ids);
    const Tensor w =
        type == DType::f32 ? t.f32({vocabulary, width}, values) : t.half(type, {vocabulary, width}, values);
    test::run([&](Recorder& rec) { embedding_forward(rec, y, tids, w); });
    std::vector<float> expected;
    reference::embedding_forward(expected, ids, stored, width);
    EXPECT_EQ(test::read(y), expected) << name_of(type);
  }
}

// Tokens are added one by one in their order in fp32, which the reference in float repeats bit by bit.
TEST_P(EmbeddingShapes, backward_is_exact_and_accumulates) {
  const auto [count, vocabulary, width] = GetParam();
  const auto ids = tokens(count, static_cast<std::uint32_t>(vocabulary), 5);
  const auto dy = normal(count * width, 6);
  auto expected = normal(vocabulary * width, 7);
  test::Tensors t;
  const Tensor dw = t.f32({vocabulary, width}, expected), tdy = t.f32({count, width}, dy),
               tids = t.u32({count}, ids);
  test::run([&](Recorder& rec) {
    embedding_backward(rec, dw, tdy, tids);
    embedding_backward(rec, dw, tdy, tids);
  });
  reference::embedding_backward(expected, dy, ids, width);
  reference::embedding_backward(expected, dy, ids, width);
  EXPECT_EQ(test::read(dw), expected);
}

INSTANTIATE_TEST_SUITE_P(shapes, EmbeddingShapes,
                         testing::Values(Case{1, 1, 1}, Case{5, 3, 7}, Case{300, 11, 33},
                                         Case{700, 97, 300}));

// A table beyond one binding is served in parts. The device's limit is lowered to get there with a small
// table.
TEST(embedding, a_table_in_parts) {
  vk::DeviceInfo info = test::device().info();
  info.limits.max_storage_range = 200 * 5 * 4;  // 128 rows of 5 floats fit, 256 do not
  vk::Device device(info);
  TensorStore t(device);
  const std::uint64_t count = 600, vocabulary = 300, width = 5;
  auto ids = tokens(count, vocabulary, 8);
  ids[0] = 0, ids[1] = 127, ids[2] = 128, ids[3] = 255, ids[4] = 256, ids[5] = 299;
  const auto w = normal(vocabulary * width, 9);
  const Tensor y = t.empty({100, width}), tw = t.f32({vocabulary, width}, w),
               dw = t.zeros({vocabulary, width});
  const std::vector<std::uint32_t> first_ids(ids.begin(), ids.begin() + 100);
  const Tensor tids = t.u32({100}, first_ids);
  vk::run_once(device, [&](Recorder& rec) {
    embedding_forward(rec, y, tids, tw);
    embedding_backward(rec, dw, y, tids);
  });
  std::vector<float> expected, expected_dw(vocabulary * width, 0);
  reference::embedding_forward(expected, first_ids, w, width);
  reference::embedding_backward(expected_dw, expected, first_ids, width);
  EXPECT_EQ(t.read(y), expected);
  EXPECT_EQ(t.read(dw), expected_dw);
}

TEST(embedding, an_unknown_id_reads_and_writes_nothing) {
  test::Tensors t;
  const Tensor y = t.empty({2, 3}), ids = t.u32({2}, {7, 1}), w = t.f32({2, 3}, {1, 2, 3, 4, 5, 6}),
               dw = t.zeros({2, 3});
  test::run([&](Recorder& rec) {
    embedding_forward(rec, y, ids, w);
    embedding_backward(rec, dw, w, ids);
  });
  EXPECT_EQ(test::read(y), (std::vector<float>{0, 0, 0, 4, 5, 6}));
  EXPECT_EQ(test::read(dw), (std::vector<float>{0, 0, 0, 4, 5, 6}));
}

TEST(embedding, refuses_by_name) {
  test::Tensors t;
  const Tensor y = t.empty({2, 3}), ids = t.u32({2}, {0, 1}), w = t.empty({4, 5});
  vk::Recorder rec(test::device());
  try {
    embedding_forward(rec, y, ids, w);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "embedding_forward: y has shape [2, 3], expected [2, 5]");
  }
}

}  // namespace
}  // namespace walsh
