// Parts of one dispatch (ops/parts.h): as a GPU would run them, against the same ops one part at a time.
#include "ops/parts.h"

#include <array>
#include <numeric>

#include "ops/quant_matmul.h"
#include "ops/quant_matmul_reference.h"
#include "ops/rope.h"
#include "ops/sddmm.h"
#include "ops/spmm_reference.h"
#include "ops/transpose.h"
#include "tests/support/numbers.h"
#include "tests/support/sparse.h"
#include "vk/matrices.h"

namespace walsh {
namespace {

using test::cast;

vk::Device& gpu() {
  static vk::Device device([] {
    vk::DeviceInfo info = test::device().info();
    info.tuning.lane_by_lane = false;
    return info;
  }());
  return device;
}

/// Tensors in one block, or each in a block of its own, where nothing can run together.
class Memory {
 public:
  explicit Memory(bool together) : together_(together) {}

  vk::Arena& arena() {
    if (arenas_.empty() || !together_) arenas_.push_back(std::make_unique<vk::Arena>("parts"));
    return *arenas_.back();
  }
  Tensor f32(const Shape& shape, std::vector<float> values) {
    values_.emplace_back(reserve(arena(), DType::f32, shape), std::move(values));
    return values_.back().first;
  }
  void commit() {
    for (const auto& arena : arenas_) arena->commit(gpu());
    for (const auto& [tensor, values] : values_) gpu().upload(tensor, values);
  }
  /// Dispatches that it took.
  template <typename Record>
  static std::size_t run(vk::Precision operands, Record&& record) {
    Recorder rec(gpu(), false, operands);
    record(rec);
    vk::Recording recording = rec.finish();
    gpu().wait(gpu().submit(recording));
    return recording.dispatches();
  }

 private:
  bool together_;
  std::vector<std::unique_ptr<vk::Arena>> arenas_;
  std::vector<std::pair<Tensor, std::vector<float>>> values_;
};

std::vector<double> absolute(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

std::vector<float> read(const Tensor& tensor) { return gpu().download<float>(tensor); }

struct Case {
  std::uint64_t tokens;
  std::uint32_t n;
  std::vector<std::uint32_t> m;
  std::uint32_t bits, group_size;
  bool offset;
  vk::Precision operands = vk::Precision::fp32;
};

class QuantMatmulParts : public testing::TestWithParam<Case> {};

TEST_P(QuantMatmulParts, give_what_each_gives_alone) {
  const Case& c = GetParam();
  if (c.operands != vk::Precision::fp32 && !vk::matrix_shape(gpu().info(), c.operands))
    GTEST_SKIP() << vk::why_no_matrices(gpu().info(), c.operands);
  std::vector<std::vector<float>> outputs[2], dx;
  for (const bool together : {true, false}) {
    Memory memory(together);
    const Tensor x = memory.f32({c.tokens, c.n}, normal(c.tokens * c.n, 1)),
                 dx_sum = memory.f32({c.tokens, c.n}, normal(c.tokens * c.n, 2));
    std::vector<QuantizedTensor> weights;
    std::vector<Tensor> y, dy, bias;
    for (std::size_t i = 0; i < c.m.size(); ++i) {
      weights.push_back(reserve_quantized(memory.arena(), c.m[i], c.n, c.bits, c.group_size, c.offset));
      y.push_back(memory.f32({c.tokens, c.m[i]}, std::vector<float>(c.tokens * c.m[i], 7)));
      dy.push_back(memory.f32({c.tokens, c.m[i]}, normal(c.tokens * c.m[i], 3 + i)));
      bias.push_back(memory.f32({c.m[i]}, normal(c.m[i], 9 + i)));
    }
    memory.commit();
    std::vector<QuantPart> forward, with_bias, backward;
    for (std::size_t i = 0; i < c.m.size(); ++i) {
      upload(gpu(), weights[i], reference::random_quantized(c.m[i], c.n, c.bits, c.group_size, i, c.offset));
      forward.push_back({y[i], weights[i], {}});
      with_bias.push_back({y[i], weights[i], bias[i]});
      backward.push_back({dy[i], weights[i], {}});
    }
    const std::size_t expected = together ? 1 : c.m.size();
    for (const auto& parts : {forward, with_bias}) {
      EXPECT_EQ(Memory::run(c.operands, [&](Recorder& rec) { quant_matmul_forward(rec, parts, x); }),
                expected);
      outputs[together].emplace_back();
      for (const Tensor& of_part : y) {
        const auto values = read(of_part);
        outputs[together].back().insert(outputs[together].back().end(), values.begin(), values.end());
      }
    }
    const auto sum = [&](Recorder& rec) { quant_matmul_backward(rec, dx_sum, backward, true); };
    EXPECT_EQ(Memory::run(c.operands, sum), expected);
    dx.push_back(read(dx_sum));
  }
  EXPECT_EQ(outputs[true], outputs[false]) << "forward";
  // The sums of the parts are added in another order: against their terms' magnitudes.
  std::vector<double> expected(dx[1].begin(), dx[1].end()), size;
  for (const float value : normal(c.tokens * c.n, 2)) size.push_back(std::abs(value));
  for (std::size_t i = 0; i < c.m.size(); ++i) {
    const auto q = reference::random_quantized(c.m[i], c.n, c.bits, c.group_size, i, c.offset);
    const auto w = absolute(reference::dequantize<double>(q)),
               g = absolute(cast<double>(normal(c.tokens * c.m[i], 3 + i)));
    for (std::size_t t = 0; t < c.tokens; ++t)
      for (std::size_t k = 0; k < c.m[i]; ++k)
        for (std::size_t j = 0; j < c.n; ++j) size[t * c.n + j] += g[t * c.m[i] + k] * w[k * c.n + j];
  }
  test::expect_close(dx[0], expected, size, std::accumulate(c.m.begin(), c.m.end(), 1.0), "dx");
}

INSTANTIATE_TEST_SUITE_P(shapes, QuantMatmulParts,
                         testing::Values(Case{9, 64, {16, 8}, 2, 32, false},
                                         Case{33, 129, {72, 37, 131}, 3, 43, false},  // ragged everywhere
                                         Case{128, 256, {384, 128, 128}, 4, 64, true},
                                         Case{33, 136, {72, 40, 131}, 4, 8, false, vk::Precision::fp16},
                                         Case{64, 128, {192, 64, 64}, 4, 64, false, vk::Precision::fp16}));

TEST(parts, sparse_products_transposes_and_rotations) {
  const std::uint32_t tokens = 70, n = 64;
  const std::array<std::uint32_t, 3> m{40, 17, 23};
  std::vector<std::vector<float>> exact[2], sums;
  std::vector<double> size;  // of the terms of a sum
  for (const bool together : {true, false}) {
    Memory memory(together);
    const Tensor xt = memory.f32({n, tokens}, normal(n * tokens, 1)),
                 dx = memory.f32({tokens, n}, normal(n * tokens, 2)),
                 frequencies = memory.f32({4}, {1, 0.5f, 0.25f, 0.125f}),
                 positions = reserve(memory.arena(), DType::u32, {tokens});
    std::vector<SparseTensor> f;
    std::vector<Tensor> y, yt, values, gradients, turned;
    for (std::size_t i = 0; i < m.size(); ++i) {
      const SparseMatrix support = test::irregular_support(m[i], n, 9, i);
      f.push_back(reserve_sparse(memory.arena(), m[i], n, support.nonzeros()));
      y.push_back(memory.f32({tokens, m[i]}, normal(tokens * m[i], 3 + i)));
      yt.push_back(memory.f32({m[i], tokens}, std::vector<float>(tokens * m[i], 7)));
      values.push_back(memory.f32({support.nonzeros()}, normal(support.nonzeros(), 6 + i)));
      gradients.push_back(memory.f32({support.nonzeros()}, normal(support.nonzeros(), 9 + i)));
      if (i < 2) turned.push_back(memory.f32({tokens, 3 - i, 8}, normal(tokens * (3 - i) * 8, 12 + i)));
    }
    memory.commit();
    std::vector<std::uint32_t> counted(tokens);
    std::iota(counted.begin(), counted.end(), 0u);
    gpu().upload(positions, counted);
    std::vector<Transposition> transpositions;
    std::vector<SparsePart> forward, backward, sampled;
    for (std::size_t i = 0; i < m.size(); ++i) {
      upload(gpu(), f[i], test::irregular_support(m[i], n, 9, i));
      const float scale = 0.5f + static_cast<float>(i);
      transpositions.push_back({yt[i], y[i]});
      forward.push_back({y[i], values[i], f[i], scale});
      backward.push_back({yt[i], values[i], f[i], scale});
      sampled.push_back({yt[i], gradients[i], f[i], scale});
    }
    const auto count = [](auto&& record) { return Memory::run(vk::Precision::fp32, record); };
    const std::size_t each = together ? 1 : m.size();
    EXPECT_EQ(count([&](Recorder& rec) { transpose(rec, transpositions); }), each);
    EXPECT_EQ(count([&](Recorder& rec) { spmm_forward(rec, forward, xt, true); }), each);
    EXPECT_EQ(count([&](Recorder& rec) { sddmm(rec, sampled, xt); }), each);
    EXPECT_EQ(count([&](Recorder& rec) { spmm_backward(rec, dx, backward, true); }), each);
    EXPECT_EQ(count([&](Recorder& rec) { rope_forward(rec, turned, positions, frequencies); }),
              together ? 1u : 2u);
    for (const auto& tensors : {y, yt, gradients, turned})
      for (const Tensor& tensor : tensors) exact[together].push_back(read(tensor));
    sums.push_back(read(dx));
    size.clear();
    for (const float value : normal(n * tokens, 2)) size.push_back(std::abs(value));
    for (std::size_t i = 0; i < m.size(); ++i)
      reference::spmm_backward(size, absolute(cast<double>(read(yt[i]))),
                               absolute(cast<double>(read(values[i]))),
                               test::irregular_support(m[i], n, 9, i), 0.5 + static_cast<double>(i));
  }
  EXPECT_EQ(exact[true], exact[false]);
  test::expect_close(sums[0], {sums[1].begin(), sums[1].end()}, size,
                     std::accumulate(m.begin(), m.end(), 1.0), "dx");
}

TEST(parts, what_one_binding_cannot_hold_runs_apart) {
  vk::DeviceInfo info = gpu().info();
  info.limits.max_storage_range = 1000;
  vk::Device small(info);
  vk::Arena arena("parts");
  const std::array tensors{reserve(arena, DType::f32, {100}), reserve(arena, DType::f32, {100}),
                           reserve(arena, DType::f32, {100})};
  arena.commit(small);
  Recorder rec(small);
  std::uint32_t at[MOST_PARTS] = {};
  const auto slice_of = [](const Tensor& tensor) -> vk::Slice { return tensor; };
  const std::span<const Tensor> all(tensors);
  EXPECT_FALSE(cover(rec, all, slice_of, at));  // 512 + 512 + 400 bytes
  const auto two = cover(rec, all.subspan(1), slice_of, at);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->offset, 512u);
  EXPECT_EQ(two->size, 912u);
  EXPECT_EQ(at[0], 0u);
  EXPECT_EQ(at[1], 128u);
}

}  // namespace
}  // namespace walsh
