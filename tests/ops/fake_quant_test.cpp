#include "ops/fake_quant.h"

#include "base/half.h"
#include "ops/fake_quant_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

/// A tile whose weights lie on both sides of the clamp, none within 1e-3 steps of a decision.
struct Tile {
  std::uint64_t rows, columns;
  DType dtype;
  FakeQuantOptions options;
  std::vector<float> base, product, scale, offset;

  Tile(std::uint64_t r, std::uint64_t c, DType type, const FakeQuantOptions& o, bool with_offset)
      : rows(r), columns(c), dtype(type), options(o), base(normal(r * c, 1)), product(normal(r * c, 2)) {
    const std::uint64_t groups = r * c / o.group_size;
    for (float& w : base) {
      if (type == DType::bf16) w = bf16_to_float(float_to_bf16(w));
      if (type == DType::f16) w = f16_to_float(float_to_f16(w));
    }
    for (float& p : product) p *= 0.2f;
    for (const float z : normal(groups, 3)) scale.push_back((0.3f + 0.05f * z) * 8 / float(1u << o.bits));
    if (with_offset) {
      for (const float z : normal(groups, 4)) offset.push_back(0.1f * z);
    }
    for (std::size_t i = 0; i < base.size(); ++i) {
      while (near_decision(i)) product[i] += 0.01f * scale[i / o.group_size];
    }
  }

  bool near_decision(std::size_t i) const {
    const std::size_t k = i / options.group_size;
    const double combined = base[i] + static_cast<double>(options.alpha) * product[i];
    const auto q =
        reference::fake_quant_weight<double>(combined, scale[k], offset.empty() ? 0 : offset[k], options);
    const double half = 1u << (options.bits - 1);
    return std::abs(std::abs(q.v - std::floor(q.v)) - 0.5) < 1e-3 || std::abs(q.v + half) < 1e-3 ||
           std::abs(q.v - half + 1) < 1e-3;
  }
};

TEST(fake_quant, reference_gradient) {
  for (const bool half_grid : {false, true}) {
    const Tile t(3, 12, DType::f32, {.bits = 3, .group_size = 4, .alpha = 1.5f, .half_grid = half_grid},
                 true);
    const auto base = cast<double>(t.base), product = cast<double>(t.product), scale = cast<double>(t.scale),
               offset = cast<double>(t.offset), dw = cast<double>(normal(36, 5));
    std::vector<double> g = dw, ds, db;
    reference::fake_quant_backward(g, ds, db, base, product, scale, offset, t.options);
    const auto loss = [&](const auto& p, const auto& s, const auto& b) {
      std::vector<test::Complex> w;
      reference::fake_quant_forward(w, cast<test::Complex>(base), p, s, b, t.options);
      test::Complex sum = 0;
      for (std::size_t i = 0; i < w.size(); ++i) sum += w[i] * dw[i];
      return sum;
    };
    const auto p = cast<test::Complex>(product), s = cast<test::Complex>(scale),
               b = cast<test::Complex>(offset);
    test::expect_gradient(
        product, g, [&](const auto& x) { return loss(x, s, b); }, "product");
    test::expect_gradient(
        scale, ds, [&](const auto& x) { return loss(p, x, b); }, "scale");
    test::expect_gradient(
        offset, db, [&](const auto& x) { return loss(p, s, x); }, "offset");
  }
}

struct Case {
  std::uint64_t rows, columns;
  std::uint32_t group_size, bits;
  DType dtype;
  bool offset, half_grid;
};

class FakeQuantShapes : public testing::TestWithParam<Case> {};

TEST_P(FakeQuantShapes, device_agrees_with_reference) {
  const Case c = GetParam();
  const Tile tile(c.rows, c.columns, c.dtype,
                  {.bits = c.bits,
                   .group_size = c.group_size,
                   .alpha = 0.5f,
                   .grad_scale = 0.75f,
                   .half_grid = c.half_grid},
                  c.offset);
  const std::uint64_t groups = c.columns / c.group_size, count = c.rows * c.columns;
  const auto g0 = normal(count, 5), ds0 = normal(tile.scale.size(), 6), db0 = normal(tile.offset.size(), 7);
  test::Tensors t;
  const Shape shape{c.rows, c.columns}, grid{c.rows, groups};
  const Tensor base = c.dtype == DType::f32 ? t.f32(shape, tile.base) : t.half(c.dtype, shape, tile.base);
  const Tensor product = t.f32(shape, tile.product), scale = t.f32(grid, tile.scale), g = t.f32(shape, g0),
               ds = t.f32(grid, ds0), w = t.empty(shape);
  const Tensor offset = c.offset ? t.f32(grid, tile.offset) : Tensor{},
               db = c.offset ? t.f32(grid, db0) : Tensor{};
  test::run([&](Recorder& rec) {
    fake_quant_forward(rec, w, base, product, scale, offset, tile.options);
    fake_quant_backward(rec, g, ds, db, base, product, scale, offset, tile.options);
  });
  const auto b = cast<double>(tile.base), p = cast<double>(tile.product), s = cast<double>(tile.scale),
             o = cast<double>(tile.offset);
  std::vector<double> want, want_g = cast<double>(g0), want_ds = cast<double>(ds0),
                            want_db = cast<double>(db0);
  reference::fake_quant_forward(want, b, p, s, o, tile.options);
  reference::fake_quant_backward(want_g, want_ds, want_db, b, p, s, o, tile.options);
  // Magnitudes: of the grid's span for w and v, whose terms cancel; of the gradients for the sums.
  const double span = 1u << c.bits;
  std::vector<double> size_w(count), size_ds(groups * c.rows), size_db(tile.offset.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t k = i / c.group_size;
    size_w[i] = span * tile.scale[k];
    size_ds[k] += std::abs(g0[i]) * span;
    if (c.offset) size_db[k] += std::abs(g0[i]);
  }
  for (std::size_t k = 0; k < size_ds.size(); ++k) size_ds[k] += std::abs(ds0[k]);
  for (std::size_t k = 0; k < size_db.size(); ++k) size_db[k] += std::abs(db0[k]);
  test::expect_close(test::read(w), want, size_w, 2, "w");
  test::expect_close(test::read(g), want_g, 1, "g");
  test::expect_close(test::read(ds), want_ds, size_ds, c.group_size + 1.0, "dscale");
  if (c.offset) test::expect_close(test::read(db), want_db, size_db, c.group_size + 1.0, "doffset");
  if (!c.half_grid) return;
  // What a file with 16-bit scales and offsets holds is the weight that training computed, bit for bit.
  const auto got = test::read(w);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t k = i / c.group_size;
    const StoredAffine stored = stored_affine(tile.scale[k], c.offset ? tile.offset[k] : 0, c.bits);
    const float code = std::nearbyint((got[i] - stored.low) / stored.scale);
    ASSERT_EQ(stored.scale * code + stored.low, got[i]) << i;
    ASSERT_TRUE(code >= 0 && code < span) << i;
  }
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const bool half_grid : {false, true}) {
    for (const bool offset : {false, true}) {
      list.push_back({24, 96, 32, 4, DType::f32, offset, half_grid});
      list.push_back({7, 60, 30, 3, DType::bf16, offset, half_grid});
      list.push_back({11, 45, 45, 2, DType::f16, offset, half_grid});  // odd rows of 16-bit weights
      list.push_back({5, 2050, 1025, 4, DType::bf16, offset, half_grid});
      list.push_back({130, 64, 1, 8, DType::f32, offset, half_grid});
    }
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(shapes, FakeQuantShapes, testing::ValuesIn(cases()));

// L4Q's start puts the largest weight of a group on Qn or Qp; an ulp of the division must not mask it.
TEST(fake_quant, weights_on_the_edge_of_the_grid_are_inside) {
  const std::uint64_t rows = 200, columns = 8;
  const auto base = normal(rows * columns, 1);
  std::vector<float> scale;
  for (std::uint64_t i = 0; i < rows; ++i) {
    float largest = 0;
    for (std::uint64_t j = 0; j < columns; ++j)
      largest = std::max(largest, base[i * columns + j] / (base[i * columns + j] > 0 ? 7.0f : -8.0f));
    scale.push_back(largest);
  }
  test::Tensors t;
  const Tensor g = t.f32({rows, columns}, std::vector<float>(rows * columns, 1)), ds = t.zeros({rows, 1}),
               db = t.zeros({rows, 1});
  test::run([&](Recorder& rec) {
    fake_quant_backward(rec, g, ds, db, t.f32({rows, columns}, base), t.zeros({rows, columns}),
                        t.f32({rows, 1}, scale), t.zeros({rows, 1}), {.group_size = 8, .half_grid = false});
  });
  EXPECT_EQ(test::read(g), std::vector<float>(rows * columns, 1));
  EXPECT_EQ(test::read(db), std::vector<float>(rows, 0));
}

// A scale that training drives below the smallest normal half is used as that, whatever its sign.
TEST(fake_quant, scales_stay_positive) {
  for (const bool half_grid : {false, true}) {
    test::Tensors t;
    const Tensor w = t.empty({1, 4});
    test::run([&](Recorder& rec) {
      fake_quant_forward(rec, w, t.f32({1, 4}, {1, -1, 0, 1e-4f}), t.zeros({1, 4}),
                         t.f32({1, 2}, {-0.5f, 1e-9f}), {}, {.group_size = 2, .half_grid = half_grid});
    });
    EXPECT_EQ(test::read(w), (std::vector<float>{7 * 0x1p-14f, -8 * 0x1p-14f, 0, 2 * 0x1p-14f}));
  }
}

TEST(fake_quant, same_bits_twice) {
  const Tile tile(9, 96, DType::f32, {.group_size = 32}, true);
  test::Tensors t;
  const Tensor base = t.f32({9, 96}, tile.base), product = t.f32({9, 96}, tile.product),
               scale = t.f32({9, 3}, tile.scale), offset = t.f32({9, 3}, tile.offset);
  std::vector<Tensor> ds;
  test::run([&](Recorder& rec) {
    for (int i = 0; i < 2; ++i) {
      ds.push_back(t.zeros({9, 3}));
      fake_quant_backward(rec, t.f32({9, 96}, normal(9 * 96, 5)), ds.back(), t.zeros({9, 3}), base, product,
                          scale, offset, tile.options);
    }
  });
  EXPECT_EQ(test::read(ds[0]), test::read(ds[1]));
}

TEST(fake_quant, refuses_a_group_that_does_not_divide) {
  test::Tensors t;
  const Tensor base = t.empty({2, 8}), scale = t.empty({2, 2});
  vk::Recorder rec(test::device());
  try {
    fake_quant_forward(rec, base, base, base, scale, {}, {.group_size = 3});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "fake_quant_forward: 8 columns in groups of 3");
  }
}

}  // namespace
}  // namespace walsh
