#include "ops/requantize.h"

#include <span>

#include "ops/requantize_reference.h"
#include "tensor/packing.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::cast;

struct Case {
  std::uint64_t rows, columns;
  std::uint32_t group_size, bits;
  int fraction;  // of packed values; below 0: bf16
  bool asymmetric, half_scale;
};

/// A tile whose z lie inside and outside of the grid, none within 1e-3 of a tie.
struct Tile {
  Case c;
  std::vector<double> phi;
  std::vector<std::uint8_t> stored;
  std::vector<float> product, scale;
  std::vector<std::uint32_t> zeros;
  reference::IntegerGrid grid;

  explicit Tile(const Case& shape) : c(shape), product(normal(c.rows * c.columns, 2)) {
    const std::uint64_t groups = c.rows * c.columns / c.group_size;
    const double steps = 1u << c.bits;
    grid.lowest = c.asymmetric ? 0 : -steps / 2;
    grid.highest = grid.lowest + steps - 1;
    grid.integer = c.fraction == 0;
    grid.options = {.group_size = c.group_size, .scaling = 0.25f, .half_scale = c.half_scale};
    for (std::uint64_t i = 0; i < groups; ++i) {
      scale.push_back(0.01f + 0.002f * static_cast<float>(i % 5));
      if (c.asymmetric) zeros.push_back(static_cast<std::uint32_t>(i % (1u << c.bits)));
    }
    grid.zeros = cast<double>(zeros);
    for (const float z : normal(product.size(), 1)) {
      const double value = (grid.lowest + grid.highest) / 2 + z * steps / 3;
      if (c.fraction < 0) {
        phi.push_back(bf16_to_float(float_to_bf16(static_cast<float>(value))));
      } else {
        const double clipped = std::clamp(value, grid.lowest, grid.highest) - grid.lowest;
        stored.push_back(static_cast<std::uint8_t>(std::nearbyint(std::ldexp(clipped, c.fraction))));
        phi.push_back(std::ldexp(stored.back(), -c.fraction) + grid.lowest);
      }
    }
    for (std::size_t i = 0; i < product.size(); ++i) {
      product[i] *= 3;
      while (near_tie(i)) product[i] += 0.01f;
    }
  }

  bool near_tie(std::size_t i) const {
    const double moved = grid.options.scaling * product[i], at = grid.integer ? moved : phi[i] + moved;
    return std::abs(at - std::floor(at) - 0.5) < 1e-3;
  }

  FrozenPhi place(test::Tensors& t) const {
    FrozenPhi out{.columns = static_cast<std::uint32_t>(c.columns), .bits = c.bits};
    if (c.asymmetric) out.zeros = t.u32({c.rows, c.columns / c.group_size}, zeros);
    if (c.fraction < 0) {
      out.dense = t.half(DType::bf16, {c.rows, c.columns}, cast<float>(phi));
      return out;
    }
    out.fraction = static_cast<std::uint32_t>(c.fraction);
    std::vector<std::uint32_t> words;
    for (std::uint64_t i = 0; i < c.rows; ++i) {
      const auto row = pack_codes(std::span(stored).subspan(i * c.columns, c.columns), c.bits + out.fraction);
      words.insert(words.end(), row.begin(), row.end());
    }
    out.packed = t.u32({c.rows, words.size() / c.rows}, words);
    return out;
  }
};

TEST(requantize, reference_gradient) {
  for (const bool asymmetric : {false, true}) {
    for (const int fraction : {0, 5}) {
      const Tile t({3, 12, 4, 3, fraction, asymmetric, fraction == 0});
      const auto product = cast<double>(t.product), scale = cast<double>(t.scale),
                 dw = cast<double>(normal(36, 5));
      std::vector<double> g = dw, ds;
      reference::requantize_backward(g, ds, t.phi, product, scale, t.grid);
      const auto loss = [&](const auto& p, const auto& s) {
        std::vector<test::Complex> w;
        reference::requantize_forward(w, t.phi, p, s, t.grid);
        test::Complex sum = 0;
        for (std::size_t i = 0; i < w.size(); ++i) sum += w[i] * dw[i];
        return sum;
      };
      test::expect_gradient(
          product, g, [&](const auto& p) { return loss(p, cast<test::Complex>(scale)); }, "product");
      test::expect_gradient(
          scale, ds, [&](const auto& s) { return loss(cast<test::Complex>(product), s); }, "scale");
    }
  }
}

class RequantizeShapes : public testing::TestWithParam<Case> {};

TEST_P(RequantizeShapes, device_agrees_with_reference) {
  const Case c = GetParam();
  const Tile tile(c);
  const std::uint64_t count = c.rows * c.columns;
  const auto g0 = normal(count, 5), ds0 = normal(tile.scale.size(), 6);
  test::Tensors t;
  const Shape shape{c.rows, c.columns}, grid{c.rows, c.columns / c.group_size};
  const FrozenPhi phi = tile.place(t);
  const Tensor product = t.f32(shape, tile.product), scale = t.f32(grid, tile.scale), g = t.f32(shape, g0),
               ds = t.f32(grid, ds0), w = t.empty(shape);
  test::run([&](Recorder& rec) {
    requantize_forward(rec, w, phi, product, scale, tile.grid.options);
    requantize_backward(rec, g, ds, phi, product, scale, tile.grid.options);
  });
  const auto p = cast<double>(tile.product), s = cast<double>(tile.scale);
  std::vector<double> want, want_g = cast<double>(g0), want_ds = cast<double>(ds0);
  reference::requantize_forward(want, tile.phi, p, s, tile.grid);
  reference::requantize_backward(want_g, want_ds, tile.phi, p, s, tile.grid);
  std::vector<double> size_w, size_g, size_ds = cast<double>(ds0);
  for (double& d : size_ds) d = std::abs(d);
  for (std::size_t i = 0; i < count; ++i) {
    size_w.push_back(std::abs(want[i]));
    size_g.push_back(std::abs(want_g[i]));
    size_ds[i / c.group_size] += std::abs(g0[i]) * (1u << c.bits);
  }
  test::expect_close(test::read(w), want, size_w, 1, "w");
  test::expect_close(test::read(g), want_g, size_g, 2, "g");
  test::expect_close(test::read(ds), want_ds, size_ds, c.group_size + 1.0, "dscale");
  if (c.half_scale) {
    const auto got = test::read(w);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(got[i], static_cast<float>(want[i])) << i;
  }
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) {
    const int fixed = 8 - static_cast<int>(bits);
    for (const int fraction : {-1, 0, fixed}) {
      list.push_back({24, 96, 32, bits, fraction, false, true});
      list.push_back({7, 45, 15, bits, fraction, bits < 4, false});  // rows end inside a word
      list.push_back({3, 2058, 1029, bits, fraction, bits < 4, true});
    }
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(shapes, RequantizeShapes, testing::ValuesIn(cases()));

// Ties go to even; a whole phi adds the rounded product, so that the order of the two matters on a tie.
TEST(requantize, ties) {
  test::Tensors t;
  const Tensor product = t.f32({1, 4}, {0.5f, 0.5f, -0.5f, 1.5f}), scale = t.f32({1, 1}, {1});
  const Tensor fixed = t.empty({1, 4}), whole = t.empty({1, 4});
  // phi = −8 + {8, 9, 8, 9} = {0, 1, 0, 1}, as bytes of Q4.4 and as nibbles
  const FrozenPhi bytes{.packed = t.u32({1, 1}, {0x90809080}), .columns = 4, .bits = 4, .fraction = 4};
  const FrozenPhi nibbles{.packed = t.u32({1, 1}, {0x9898}), .columns = 4, .bits = 4, .fraction = 0};
  test::run([&](Recorder& rec) {
    requantize_forward(rec, fixed, bytes, product, scale, {.group_size = 4});
    requantize_forward(rec, whole, nibbles, product, scale, {.group_size = 4});
  });
  EXPECT_EQ(test::read(fixed), (std::vector<float>{0, 2, 0, 2}));
  EXPECT_EQ(test::read(whole), (std::vector<float>{0, 1, 0, 3}));
}

// The mask looks at the rounded value: −8.4 rounds into the grid, −8.6 out of it, and a clipped phi counts.
TEST(requantize, mask_uses_the_rounded_value) {
  test::Tensors t;
  const Tensor g = t.f32({1, 4}, {1, 1, 1, 1}), ds = t.zeros({1, 1}), scale = t.f32({1, 1}, {0.5f});
  const FrozenPhi phi{.dense = t.f32({1, 4}, {-8, -8, 7, 7}), .columns = 4, .bits = 4};
  test::run([&](Recorder& rec) {
    requantize_backward(rec, g, ds, phi, t.f32({1, 4}, {-0.4f, -0.6f, 0.4f, 0}), scale, {.group_size = 4});
  });
  EXPECT_EQ(test::read(g), (std::vector<float>{0.5f, 0, 0.5f, 0.5f}));
  EXPECT_EQ(test::read(ds), std::vector<float>{-8 - 8 + 7 + 7});
}

TEST(requantize, refuses_a_wrong_shape_by_name) {
  test::Tensors t;
  const Tensor product = t.empty({2, 8}), scale = t.empty({2, 2});
  const FrozenPhi phi{.packed = t.u32({2, 2}, {0, 0, 0, 0}), .columns = 8, .bits = 4};
  vk::Recorder rec(test::device());
  try {
    requantize_forward(rec, product, phi, product, scale, {.group_size = 4});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "requantize_forward: phi has shape [2, 2], expected [2, 1]");
  }
}

}  // namespace
}  // namespace walsh
