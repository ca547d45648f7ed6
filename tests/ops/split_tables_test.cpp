// Tables larger than a binding are cut along rows: embedding and head on a device whose bindings are made
// small.
#include <gtest/gtest.h>

#include <cmath>

#include "base/half.h"
#include "ops/embedding.h"
#include "ops/embedding_reference.h"
#include "ops/matmul.h"
#include "ops/matmul_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh::test {
namespace {

// Of f32 a binding holds 256 rows, of 16 bits 640; the table has 700.
constexpr std::uint64_t rows = 700, width = 64, count = 9;
constexpr std::uint64_t binding = 330 * width * 4;

vk::Device& small_device() {
  static vk::Device device = [] {
    vk::DeviceInfo info = test::device().info();
    info.limits.max_storage_range = binding;
    return vk::Device(info);
  }();
  return device;
}

struct Measured {
  std::vector<float> got;
  std::size_t dispatches = 0;
};

template <typename Record>
Measured run(TensorStore& store, const Tensor& result, Record&& record) {
  vk::Recorder recorder(store.device());
  record(recorder);
  vk::Recording recording = recorder.finish();
  store.device().wait(store.device().submit(recording));
  return {store.read(result), recording.dispatches()};
}

std::vector<double> absolute(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

class SplitTables : public testing::TestWithParam<DType> {
 protected:
  SplitTables() : w(normal(rows * width, 1)), store(small_device()) {
    if (GetParam() == DType::f32) {
      table = store.f32({rows, width}, w);
    } else {
      table = store.half(GetParam(), {rows, width}, w);
      for (float& value : w)
        value = GetParam() == DType::f16 ? f16_to_float(float_to_f16(value))
                                         : bf16_to_float(float_to_bf16(value));
    }
    parts = GetParam() == DType::f32 ? 3 : 2;
  }

  std::vector<float> w;
  TensorStore store;
  Tensor table;
  std::size_t parts;
};

TEST_P(SplitTables, RowsAreLookedUp) {
  const std::vector<std::uint32_t> ids = {0, 255, 256, 699, 639, 640, 511, 512, 699};
  const Tensor y = store.empty({count, width}), tids = store.u32({count}, ids);
  const Measured got = run(store, y, [&](Recorder& rec) { embedding_forward(rec, y, tids, table); });
  std::vector<float> expected;
  reference::embedding_forward(expected, ids, w, width);
  EXPECT_EQ(got.got, expected);
  EXPECT_EQ(got.dispatches, parts);
}

TEST_P(SplitTables, ProductsCoverEveryRow) {
  const auto x = normal(count * width, 2), dy = normal(count * rows, 3);
  const auto X = cast<double>(x), W = cast<double>(w), DY = cast<double>(dy);
  const Tensor tx = store.f32({count, width}, x), tdy = store.f32({count, rows}, dy);
  const Tensor y = store.empty({count, rows}), dx = store.empty({count, width});
  std::vector<double> expected, size, unused_dw, unused_dbias;

  const Measured forward = run(store, y, [&](Recorder& rec) { matmul_forward(rec, y, tx, table); });
  reference::matmul_forward(expected, X, W, {}, rows, width);
  reference::matmul_forward(size, absolute(X), absolute(W), {}, rows, width);
  expect_close(forward.got, expected, size, width, "y");
  EXPECT_EQ(forward.dispatches, parts);

  const Measured backward = run(store, dx, [&](Recorder& rec) { matmul_backward(rec, dx, tdy, table); });
  expected.clear(), size.clear();
  reference::matmul_backward(expected, unused_dw, unused_dbias, DY, X, W, rows, width);
  reference::matmul_backward(size, unused_dw, unused_dbias, absolute(DY), absolute(X), absolute(W), rows,
                             width);
  expect_close(backward.got, expected, size, rows, "dx");
  EXPECT_EQ(backward.dispatches, parts);
}

INSTANTIATE_TEST_SUITE_P(types, SplitTables, testing::Values(DType::f32, DType::f16, DType::bf16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(SplitGradients, ReachEveryRow) {
  TensorStore store(small_device());
  const std::vector<std::uint32_t> ids = {0, 255, 256, 699, 640, 640, 511, 512, 699};
  const auto x = normal(count * width, 2), dy = normal(count * rows, 3), dx = normal(count * width, 4);
  const Tensor dw = store.zeros({rows, width}), tids = store.u32({count}, ids);
  const Tensor tx = store.f32({count, width}, x), tdy = store.f32({count, rows}, dy),
               tdx = store.f32({count, width}, dx);

  const Measured lookup = run(store, dw, [&](Recorder& rec) { embedding_backward(rec, dw, tdx, tids); });
  std::vector<double> expected(rows * width, 0), size(rows * width, 0);
  reference::embedding_backward(expected, cast<double>(dx), ids, width);
  reference::embedding_backward(size, absolute(cast<double>(dx)), ids, width);
  expect_close(lookup.got, expected, size, 2, "dw of a lookup");
  EXPECT_EQ(lookup.dispatches, 3u);

  // A tied head adds to the same gradient.
  const Measured product = run(store, dw, [&](Recorder& rec) { matmul_backward_weight(rec, dw, tdy, tx); });
  std::vector<double> unused_dx, unused_dbias;
  const std::vector<double> W(rows * width, 0);
  reference::matmul_backward(unused_dx, expected, unused_dbias, cast<double>(dy), cast<double>(x), W, rows,
                             width);
  reference::matmul_backward(unused_dx, size, unused_dbias, absolute(cast<double>(dy)),
                             absolute(cast<double>(x)), W, rows, width);
  expect_close(product.got, expected, size, count + 2, "dw of both");
  EXPECT_EQ(product.dispatches, 3u);
}

TEST(SplitRefusals, ATableWhoseRowsDoNotFitIsRefused) {
  TensorStore store(small_device());
  const std::uint64_t wide = binding / 4 / 100;  // 128 rows of them do not fit
  const Tensor w = store.zeros({300, wide}), x = store.zeros({1, wide}), y = store.empty({1, 300});
  vk::Recorder recorder(store.device());
  EXPECT_THROW(matmul_forward(recorder, y, x, w), Error);
}

}  // namespace
}  // namespace walsh::test
