#include "ops/batch.h"

#include "ops/add.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

// One recording, submitted many times without waiting: each run reads the next slot and leaves its result in
// the next.
TEST(batch, replays_read_and_write_consecutive_slots_and_wrap) {
  const std::uint64_t slots = 3, words = 300;
  vk::Arena arena("ring", vk::MemoryKind::host);
  const Tensor in = reserve(arena, DType::u32, {slots, words}), out = reserve(arena, DType::f32, {8, words});
  arena.commit(test::device());
  std::vector<std::uint32_t> filled(slots * words);
  for (std::size_t i = 0; i < filled.size(); ++i)
    filled[i] = std::bit_cast<std::uint32_t>(static_cast<float>(i));
  test::device().upload(in, filled);
  test::Tensors t;
  const Tensor in_counter = t.u32({1}, {1}), out_counter = t.u32({1}, {0}), total = t.zeros({words});
  Tensor values = t.empty({words});
  vk::Recorder rec(test::device());
  ring_read(rec, values, in, in_counter);
  add(rec, total, total, values);
  ring_write(rec, out, out_counter, total);
  ring_advance(rec, in_counter);
  ring_advance(rec, out_counter);
  vk::Recording recording = rec.finish();
  const int runs = 8;
  vk::Ticket last = 0;
  for (int run = 0; run < runs; ++run) last = test::device().submit(recording);
  test::device().wait(last);
  std::vector<float> expected;
  std::vector<float> sums(words, 0);
  for (std::size_t run = 0; run < runs; ++run) {
    for (std::size_t i = 0; i < words; ++i) sums[i] += static_cast<float>((run + 1) % slots * words + i);
    expected.insert(expected.end(), sums.begin(), sums.end());
  }
  EXPECT_EQ(test::read(out), expected);
  EXPECT_EQ(test::device().download<std::uint32_t>(in_counter), std::vector<std::uint32_t>{9});
}

TEST(batch, ring_keeps_bits) {
  test::Tensors t;
  const std::vector<std::uint32_t> bits = {0x7fc12345u, 0x80000000u, 0xffffffffu,
                                           1u};  // NaN, −0, −1, a subnormal
  const Tensor ring = t.u32({1, 4}, bits), counter = t.u32({1}, {5}), copy = t.u32({1, 4}, {0, 0, 0, 0});
  Tensor values = t.empty({4});
  test::run([&](Recorder& rec) {
    ring_read(rec, values, ring, counter);
    ring_write(rec, copy, counter, values);
  });
  EXPECT_EQ(test::device().download<std::uint32_t>(copy), bits);
}

class BatchSums : public testing::TestWithParam<std::uint64_t> {};

TEST_P(BatchSums, agree_with_reference_and_accumulate) {
  const std::uint64_t n = GetParam();
  const auto values = normal(n, 1);
  double expected = 0, magnitude = 0;
  for (const float value : values) {
    expected += value;
    magnitude += std::abs(value);
  }
  test::Tensors t;
  const Tensor total = t.empty({1}), more = t.f32({1}, {100}), tv = t.f32({n}, values);
  test::run([&](Recorder& rec) {
    sum(rec, total, tv, false);
    sum(rec, more, tv, true);
    sum(rec, more, tv, true);
  });
  test::expect_close(test::read(total), {expected}, {magnitude}, static_cast<double>(n), "total");
  test::expect_close(test::read(more), {100 + 2 * expected}, {100 + 2 * magnitude},
                     2 * static_cast<double>(n) + 1, "accumulated");
}

INSTANTIATE_TEST_SUITE_P(sizes, BatchSums, testing::Values(1, 255, 257, 10000));

TEST(batch, refuses_by_name) {
  test::Tensors t;
  const Tensor ring = t.u32({2, 2}, {0, 0, 0, 0}), counter = t.u32({1}, {0}), values = t.empty({3});
  vk::Recorder rec(test::device());
  try {
    ring_read(rec, values, ring, counter);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "ring_read: values has shape [3], expected [2]");
  }
}

}  // namespace
}  // namespace walsh
