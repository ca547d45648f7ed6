#include "vk/recorder.h"

#include <algorithm>

#include "base/error.h"
#include "ops/add.h"
#include "ops/cross_entropy.h"
#include "ops/matmul.h"
#include "ops/rmsnorm.h"
#include "ops/transpose.h"
#include "shaders/add.h"
#include "tests/support/gpu.h"

namespace walsh {
namespace {

template <typename Record>
std::size_t barriers(Record&& record) {
  vk::Recorder rec(test::device());
  record(rec);
  return rec.finish().barriers();
}

TEST(recorder, barriers_are_derived_from_what_dispatches_touch) {
  test::Tensors t;
  const Tensor a = t.zeros({64}), b = t.zeros({64}), x = t.zeros({64}), y = t.zeros({64}), z = t.zeros({64});
  EXPECT_EQ(barriers([&](Recorder& rec) { add(rec, a, a, b); }), 0u) << "in place";
  EXPECT_EQ(barriers([&](Recorder& rec) {
              add(rec, x, a, b);
              add(rec, y, a, b);
            }),
            0u)
      << "two readers of the same inputs";
  EXPECT_EQ(barriers([&](Recorder& rec) {
              add(rec, x, a, b);
              add(rec, y, x, b);
            }),
            1u)
      << "read after write";
  EXPECT_EQ(barriers([&](Recorder& rec) {
              add(rec, x, a, b);
              add(rec, a, y, b);
            }),
            1u)
      << "write after read";
  EXPECT_EQ(barriers([&](Recorder& rec) {
              add(rec, x, a, b);
              add(rec, x, y, b);
            }),
            1u)
      << "write after write";
  EXPECT_EQ(barriers([&](Recorder& rec) {
              add(rec, x, a, b);
              add(rec, y, a, b);
              add(rec, z, x, b);
              add(rec, a, y, b);
            }),
            1u)
      << "one barrier orders everything before it";
  EXPECT_EQ(barriers([&](Recorder& rec) {
              rec.clear(x);
              rec.copy(y, a);
              add(rec, z, x, y);
            }),
            1u)
      << "copies and clears count";
}

TEST(recorder, dispatches_do_not_wait_for_a_copy_that_they_do_not_need) {
  test::Tensors t;
  const Tensor a = t.zeros({64}), b = t.zeros({64}), even = t.zeros({64}), odd = t.zeros({64}),
               x = t.zeros({64}), y = t.zeros({64}), z = t.zeros({64});
  // Two slots that are filled in turn while the other one is read: a barrier before each copy but the first,
  // for the copy before it and what read its slot, and one between x and y.
  EXPECT_EQ(barriers([&](Recorder& rec) {
              rec.prefetch(even.memory, a.memory);
              rec.prefetch(odd.memory, b.memory);
              add(rec, x, even, even);
              add(rec, y, x, even);
              rec.prefetch(even.memory, b.memory);
              add(rec, z, y, odd);
            }),
            3u);
  EXPECT_EQ(barriers([&](Recorder& rec) {
              rec.prefetch(even.memory, a.memory);
              add(rec, x, even, even);
              add(rec, y, odd, odd);
              add(rec, z, y, x);
              rec.copy(y.memory, odd.memory);
            }),
            3u)
      << "before the copy's reader, before what reads both results, and before what they are overwritten by";
}

TEST(recorder, ranges_of_one_block_are_told_apart) {
  test::Tensors t;
  const Tensor whole = t.zeros({4, 64}), a = t.zeros({1, 64}), b = t.zeros({2, 64});
  EXPECT_EQ(barriers([&](Recorder& rec) {
              add(rec, whole.rows(0, 1), a, a);
              add(rec, whole.rows(1, 1), a, a);
              add(rec, whole.rows(2, 2), b, b);
            }),
            0u);
  EXPECT_EQ(barriers([&](Recorder& rec) {
              add(rec, whole.rows(1, 1), a, a);
              add(rec, whole.rows(0, 2), b, b);
            }),
            1u);
}

TEST(recorder, a_recording_runs_and_is_replayed_in_order) {
  test::Tensors t;
  const Tensor a = t.zeros({300}), one = t.f32({300}, std::vector<float>(300, 1));
  vk::Recorder rec(test::device());
  for (int i = 0; i < 60; ++i) add(rec, a, a, one);
  vk::Recording recording = rec.finish();
  EXPECT_EQ(recording.dispatches(), 60u);
  EXPECT_EQ(recording.barriers(), 59u);
  EXPECT_TRUE(recording.piece_seconds().empty());
  for (float runs = 1; runs <= 3; ++runs) {
    test::device().wait(test::device().submit(recording));
    EXPECT_EQ(test::read(a), std::vector<float>(300, 60 * runs));
    EXPECT_FALSE(recording.piece_seconds().empty());
  }
}

// More dispatches than one descriptor pool has sets, in a chain that every link must keep.
TEST(recorder, a_recording_beyond_one_descriptor_pool) {
  test::Tensors t;
  const Tensor a = t.zeros({5}), one = t.f32({5}, {1, 2, 3, 4, 5});
  test::run([&](Recorder& rec) {
    for (int i = 0; i < 600; ++i) add(rec, a, a, one);
  });
  EXPECT_EQ(test::read(a), (std::vector<float>{600, 1200, 1800, 2400, 3000}));
}

TEST(recorder, replays_give_the_same_bits) {
  const std::uint64_t rows = 5, vocabulary = 3001;
  const auto x = normal(rows * vocabulary, 1);
  test::Tensors t;
  const Tensor fresh = t.f32({rows, vocabulary}, x), logits = t.empty({rows, vocabulary}),
               loss = t.empty({rows}), targets = t.i32({rows}, {0, 7, -1, 3000, 12}),
               scale = t.f32({1}, {0.25f});
  vk::Recorder rec(test::device());
  rec.copy(logits, fresh);
  cross_entropy(rec, loss, logits, targets, scale, true);
  vk::Recording recording = rec.finish();
  std::vector<float> first_loss, first_gradient;
  for (int run = 0; run < 20; ++run) {
    test::device().submit(recording);
    test::device().wait(
        test::device().submit(recording));  // twice in a row, the second while the first is pending
    const auto got_loss = test::read(loss), got_gradient = test::read(logits);
    if (run == 0) {
      first_loss = got_loss;
      first_gradient = got_gradient;
    }
    ASSERT_EQ(got_loss, first_loss) << run;
    ASSERT_EQ(got_gradient, first_gradient) << run;
  }
}

TEST(recorder, scopes_are_timed_when_profiled) {
  test::Tensors t;
  const Tensor a = t.zeros({100000}), b = t.zeros({100000});
  const auto record = [&](bool profile) {
    vk::Recorder rec(test::device(), profile);
    {
      const auto outer = rec.scope("outer");
      for (const char* name : {"first", "second"}) {
        const auto inner = rec.scope(name);
        add(rec, a, a, b);
      }
    }
    vk::Recording recording = rec.finish();
    test::device().wait(test::device().submit(recording));
    return recording.scope_times();
  };
  EXPECT_TRUE(record(false).empty());
  if (test::device().info().limits.timestamp_nanoseconds == 0) GTEST_SKIP() << "no timestamps";
  const auto times = record(true);
  // Each scope is followed by what it holds.
  const char* const names[] = {"outer", "first", "add.", "second", "add."};
  ASSERT_EQ(times.size(), std::size(names));
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_TRUE(times[i].name.starts_with(names[i])) << times[i].name;  // add in one form or the other
    EXPECT_EQ(times[i].dispatch, times[i].name.starts_with("add."));
    EXPECT_GE(times[i].begin_seconds, times[0].begin_seconds);
  }
  EXPECT_GE(times[0].seconds, times[1].seconds + times[3].seconds);
  EXPECT_GE(times[3].begin_seconds, times[1].begin_seconds + times[1].seconds);
}

// Rows folded onto two axes, elements on one, tiles on two.
struct Work {
  explicit Work(vk::Device& device) : t(device) {
    const std::uint64_t rows = 40000, m = 70, n = 600, k = 96;
    sum = t.zeros({rows, 4});
    one = t.f32({rows, 4}, normal(rows * 4, 1));
    normed = t.empty({rows, 4});
    rstd = t.empty({rows});
    weight = t.f32({4}, normal(4, 2));
    y = t.empty({m, n});
    x = t.f32({m, k}, normal(m * k, 3));
    w = t.f32({n, k}, normal(n * k, 4));
    transposed = t.empty({n, m});
  }
  void record(Recorder& rec) const {
    add(rec, sum, sum, one);
    rmsnorm_forward(rec, normed, rstd, sum, weight, 1e-5f);
    matmul_forward(rec, y, x, w);
    transpose(rec, transposed, y);
  }
  std::vector<std::vector<float>> results() {
    return {t.read(sum), t.read(normed), t.read(rstd), t.read(y), t.read(transposed)};
  }

  TensorStore t;
  Tensor sum, one, normed, rstd, weight, y, x, w, transposed;
};

// A dispatch longer than the budget is cut into ranges of workgroups; none of them longer, unless it is a
// single workgroup, or a row of those that fold their positions.
TEST(recorder, dispatches_beyond_the_budget_are_cut_and_give_the_same_bits) {
  std::vector<std::vector<float>> expected;
  for (const double budget : {0.1, 20e-6, 1e-9}) {
    vk::DeviceInfo info = test::device().info();
    info.tuning.submission_seconds = budget;
    vk::Device device(info);
    Work work(device);
    vk::Recorder rec(device);
    work.record(rec);
    vk::Recording recording = rec.finish();
    std::vector<std::vector<float>> got;
    for (int run = 0; run < 3; ++run) device.wait(device.submit(recording));
    got = work.results();
    if (expected.empty()) expected = got;
    EXPECT_TRUE(got == expected) << budget;
    const auto& pieces = recording.piece_seconds();
    if (budget == 1e-9) {
      EXPECT_GT(pieces.size(), 2 * recording.dispatches());  // to single workgroups
    } else if (pieces.size() < recording.dispatches()) {
      EXPECT_LE(*std::max_element(pieces.begin(), pieces.end()), budget);
    }
  }
}

template <typename Act>
std::string refusal(Act&& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(recorder, refuses_by_name) {
  test::Tensors t;
  const Tensor a = t.zeros({64});
  const AddArgs args{64};
  const struct { std::uint32_t first, second; } two_words{64, 0};
  vk::Recorder rec(test::device());
  EXPECT_EQ(refusal([&] {
              rec.dispatch("add.floats", {a, a}, args, {1, 1, 1});
            }),
            "kernel add.floats: 2 buffers given, it binds 3");
  EXPECT_EQ(refusal([&] {
              rec.dispatch("add.floats", {a, a, a}, two_words, {1, 1, 1});
            }),
            "kernel add.floats: 8 bytes of arguments given, its push constants have 4");
  EXPECT_EQ(refusal([&] {
              rec.dispatch("nonesuch", {a, a, a}, args, {1, 1, 1});
            }),
            "kernel nonesuch is not in this build");
  EXPECT_EQ(refusal([&] {
              rec.dispatch("add.floats", {a, a, a}, args, {1, 1, 1}, {4});
            }),
            "kernel add.floats: 1 specialization constants given, it declares 0");
  EXPECT_EQ(refusal([&] {
              rec.dispatch("add.floats", {a, vk::Slice{}, a}, args, {1, 1, 1});
            }),
            "kernel add.floats: binding 1 has no memory");
  EXPECT_THROW(rec.dispatch("add.floats", {a, a, a}, args, {0, 1, 1}), Error);
  EXPECT_EQ(refusal([&] { rec.copy(a, a.memory.part(0, 8)); }), "copy: 8 bytes into 256");
  // What was refused left nothing behind.
  add(rec, a, a, a);
  EXPECT_EQ(rec.finish().dispatches(), 1u);
}

TEST(recorder, refuses_an_open_scope_at_the_end) {
  vk::Recorder rec(test::device());
  const auto scope = rec.scope("open");
  EXPECT_EQ(refusal([&] { rec.finish(); }), "recorder: 1 scopes are still open");
}

TEST(recorder, refuses_bindings_beyond_the_device) {
  vk::DeviceInfo info = test::device().info();
  info.limits.max_storage_range = 1024;
  info.limits.storage_alignment = 256;  // the most that a device may want
  vk::Device device(info);
  TensorStore t(device);
  const Tensor fits = t.zeros({256}), large = t.zeros({257});
  vk::Recorder rec(device);
  add(rec, fits, fits, fits);
  EXPECT_EQ(refusal([&] { add(rec, large, large, large); }),
            "kernel add.floats: binding 0 has 1028 bytes, maxStorageBufferRange is 1024");
  const Tensor part = fits.rows(64, 4), odd = fits.rows(4, 4);
  add(rec, part, part, part);
  EXPECT_NE(refusal([&] {
              add(rec, part, odd, odd);
            }).find("binding 1 begins at byte 16, the device wants a multiple of 256"),
            std::string::npos);
}

}  // namespace
}  // namespace walsh
