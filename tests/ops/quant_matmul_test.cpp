#include "ops/quant_matmul.h"

#include "ops/quant_matmul_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

std::vector<double> absolute(const std::vector<double>& values) {
  std::vector<double> out;
  for (const double value : values) out.push_back(std::abs(value));
  return out;
}

struct Case {
  std::uint64_t tokens;
  std::uint32_t n, m, bits, group_size;
  bool offset = false;
};

class QuantMatmulShapes : public testing::TestWithParam<Case> {};

TEST_P(QuantMatmulShapes, device_agrees_with_reference) {
  const auto [tokens, n, m, bits, group_size, offset] = GetParam();
  const QuantizedMatrix q = reference::random_quantized(m, n, bits, group_size, 1, offset);
  const auto x = normal(tokens * n, 2), b = normal(m, 3), dy = normal(tokens * m, 4),
             dx0 = normal(tokens * n, 5);
  vk::Arena arena("quantised weight");
  const QuantizedTensor tq = reserve_quantized(arena, m, n, bits, group_size, offset);
  arena.commit(test::device());
  upload(test::device(), tq, q);
  test::Tensors t;
  const Tensor y = t.empty({tokens, m}), yb = t.empty({tokens, m}), dx = t.empty({tokens, n}),
               dx_sum = t.f32({tokens, n}, dx0), dense = t.empty({m, n});
  const Tensor tx = t.f32({tokens, n}, x), tb = t.f32({m}, b), tdy = t.f32({tokens, m}, dy);
  test::run([&](Recorder& rec) {
    quant_matmul_forward(rec, y, tx, tq);
    quant_matmul_forward(rec, yb, tx, tq, tb);
    quant_matmul_backward(rec, dx, tdy, tq);
    quant_matmul_backward(rec, dx_sum, tdy, tq, true);
    dequantize(rec, dense, tq);
  });
  EXPECT_EQ(test::read(dense), reference::dequantize<float>(q));
  const auto X = cast<double>(x), W = reference::dequantize<double>(q), DY = cast<double>(dy),
             B = cast<double>(b);
  std::vector<double> want, size;
  reference::matmul_forward(want, X, W, {}, m, n);
  reference::matmul_forward(size, absolute(X), absolute(W), {}, m, n);
  test::expect_close(test::read(y), want, size, n, "y");
  reference::matmul_forward(want, X, W, B, m, n);
  reference::matmul_forward(size, absolute(X), absolute(W), absolute(B), m, n);
  test::expect_close(test::read(yb), want, size, n + 1.0, "y with bias");
  std::vector<double> want_dx, size_dx, dw, db;
  reference::matmul_backward(want_dx, dw, db, DY, X, W, m, n);
  reference::matmul_backward(size_dx, dw, db, absolute(DY), absolute(X), absolute(W), m, n);
  test::expect_close(test::read(dx), want_dx, size_dx, m, "dx");
  for (std::size_t i = 0; i < want_dx.size(); ++i) {
    want_dx[i] += dx0[i];
    size_dx[i] += std::abs(dx0[i]);
  }
  test::expect_close(test::read(dx_sum), want_dx, size_dx, m + 1.0, "accumulated dx");
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) {
    list.push_back({1, 64, 8, bits, 32});        // one token
    list.push_back({8, 320, 72, bits, 64});      // text generation's few tokens
    list.push_back({9, 172, 37, bits, 172});     // 172 is no multiple of 8: rows end inside a word
    list.push_back({33, 129, 131, bits, 43});    // groups begin inside a run of eight codes
    list.push_back({70, 45, 19, bits, 5});       // odd everywhere
    list.push_back({128, 256, 384, bits, 128});  // whole tiles on every device
    list.push_back({130, 128, 66, bits, 128});   // per channel, several workgroups
  }
  for (const std::uint32_t bits : {4u, 8u}) {
    list.push_back({8, 320, 72, bits, 32, true});
    list.push_back({33, 129, 131, bits, 43, true});
    list.push_back({128, 256, 384, bits, 32, true});
  }
  list.push_back({3, 1, 1, 3, 1});
  list.push_back({300, 96, 140, 4, 32});
  list.push_back({70, 264, 261, 3, 33});  // several tiles each way that hang over every edge
  return list;
}

INSTANTIATE_TEST_SUITE_P(shapes, QuantMatmulShapes, testing::ValuesIn(cases()));

TEST(quant_matmul, same_bits_twice) {
  const std::uint32_t tokens = 40, n = 192, m = 100;
  vk::Arena arena("quantised weight");
  const QuantizedTensor q = reserve_quantized(arena, m, n, 4, 64);
  arena.commit(test::device());
  upload(test::device(), q, reference::random_quantized(m, n, 4, 64, 1));
  test::Tensors t;
  const Tensor x = t.f32({tokens, n}, normal(tokens * n, 2)), y = t.empty({tokens, m}),
               again = t.empty({tokens, m});
  test::run([&](Recorder& rec) {
    quant_matmul_forward(rec, y, x, q);
    quant_matmul_forward(rec, again, x, q);
  });
  EXPECT_EQ(test::read(y), test::read(again));
}

TEST(quant_matmul, refuses_bits_groups_and_shapes_by_name) {
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  vk::Arena arena("quantised weight");
  EXPECT_EQ(message([&] { reserve_quantized(arena, 4, 64, 5, 32); }),
            "a quantised matrix of 5 bits, expected 2, 3, 4 or 8");
  EXPECT_EQ(message([&] { reserve_quantized(arena, 4, 64, 4, 48); }),
            "a quantised matrix [4, 64] in groups of 48, which must divide 64");
  const QuantizedTensor q = reserve_quantized(arena, 4, 64, 4, 32);
  arena.commit(test::device());
  test::Tensors t;
  const Tensor x = t.empty({2, 64}), y = t.empty({2, 5});
  vk::Recorder rec(test::device());
  EXPECT_EQ(message([&] { quant_matmul_forward(rec, y, x, q); }),
            "quant_matmul_forward: y has shape [2, 5], expected [2, 4]");
}

}  // namespace
}  // namespace walsh
