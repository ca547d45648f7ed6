#include "methods/l4q.h"

#include "ops/fake_quant_reference.h"
#include "tests/support/low_rank_gradients.h"
#include "tests/support/method_layer.h"

namespace walsh {
namespace {

using test::absolute;
using test::cast;

const std::string q = "model.layers.0.self_attn.q_proj", k = "model.layers.0.self_attn.k_proj",
                  v = "model.layers.0.self_attn.v_proj";

// q takes two tiles of rows, v is no target.
const test::LayerShape shape{.columns = 48, .projections = {{q, 200}, {k, 40}, {v, 24}}, .bias = true};

test::LayerOptions options(std::map<std::string, std::string> set = {{"l4q.tile_rows", "128"}}) {
  return {.method = "l4q",
          .bits = 3,
          .rank = 3,
          .group_size = 16,
          .alpha = 6,
          .targets = "q,k",
          .set = std::move(set)};
}

// Away from the start: B is not zero, and scales and offsets clip some weights.
void disturb(test::MethodLayer& layer, bool offset = true) {
  for (const std::string& name : {q, k}) {
    layer.disturb(name + ".B", 0.02f, 11);
    layer.disturb(name + ".scale", 0.004f, 12);
    if (offset) layer.disturb(name + ".offset", 0.01f, 13);
  }
}

class L4qLayer : public testing::TestWithParam<DType> {};

TEST_P(L4qLayer, gradients_agree_with_reference) {
  test::LayerOptions o = options();
  o.scale_dtype = GetParam();
  test::MethodLayer layer(shape, o);
  disturb(layer);
  const std::size_t n = shape.columns, tokens = 7;
  const auto x = normal(tokens * n, 1);
  std::vector<std::vector<float>> dy;
  for (std::size_t i = 0; i < 3; ++i) dy.push_back(normal(tokens * shape.projections[i].second, 2 + i));
  const auto got = layer.pass(x, dy);

  const FakeQuantOptions quantiser = dynamic_cast<L4qMethod&>(layer.method()).quantiser(48);
  const double span = 1 << o.bits;
  std::vector<double> want_dx, size_dx;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& [name, rows] = shape.projections[i];
    const auto base = cast<double>(layer.weight(i)), bias = cast<double>(layer.bias(i)), X = cast<double>(x),
               DY = cast<double>(dy[i]);
    std::vector<double> w = base, b, a, product, s, offset;
    if (i < 2) {
      b = cast<double>(layer.value(name + ".B"));
      a = cast<double>(layer.value(name + ".A"));
      s = cast<double>(layer.value(name + ".scale"));
      offset = cast<double>(layer.value(name + ".offset"));
      product = test::low_rank_product(b, a, rows, n);
      reference::fake_quant_forward(w, base, product, s, offset, quantiser);
    }
    auto want = test::projection(X, DY, w, bias, rows, n);
    const auto size = test::projection(absolute(X), absolute(DY), absolute(w), absolute(bias), rows, n);
    test::expect_close(got.y[i], want.y, size.y, n + 3.0, "y");
    test::add_to(want_dx, want.dx);
    test::add_to(size_dx, size.dx);
    if (i == 2) continue;
    std::vector<double> ds, doffset, size_ds(s.size()), size_doffset(s.size()), size_h(want.g.size());
    for (std::size_t j = 0; j < want.g.size(); ++j) {
      size_ds[j / 16] += span * size.g[j];
      size_doffset[j / 16] += size.g[j];
      size_h[j] = quantiser.alpha * size.g[j];
    }
    reference::fake_quant_backward(want.g, ds, doffset, base, product, s, offset, quantiser);
    EXPECT_GT(*std::max_element(doffset.begin(), doffset.end()), 0) << "no weight is clipped";
    std::vector<double> size_db, size_da;
    test::low_rank_backward(want.db, want.da, want.g, b, a, rows, n);
    test::low_rank_backward(size_db, size_da, size_h, absolute(b), absolute(a), rows, n);
    test::expect_close(layer.gradient(name + ".B"), want.db, size_db, tokens + n, "dB");
    test::expect_close(layer.gradient(name + ".A"), want.da, size_da, tokens + rows, "dA");
    test::expect_close(layer.gradient(name + ".scale"), ds, size_ds, tokens + 16.0, "dscale");
    test::expect_close(layer.gradient(name + ".offset"), doffset, size_doffset, tokens + 16.0, "doffset");
  }
  test::expect_close(got.dx, want_dx, size_dx, 264, "dx");
}

INSTANTIATE_TEST_SUITE_P(scales, L4qLayer, testing::Values(DType::f16, DType::f32));

TEST(l4q, gradients_accumulate) {
  test::MethodLayer layer(shape, options());
  disturb(layer);
  const auto x = normal(5 * 48, 1);
  const std::vector<std::vector<float>> dy = {normal(5 * 200, 2), normal(5 * 40, 3), normal(5 * 24, 4)};
  layer.pass(x, dy);
  std::vector<std::vector<float>> once;
  for (const Parameter& p : layer.parameters().all()) once.push_back(test::read(p.gradient));
  layer.pass(x, dy);
  for (std::size_t i = 0; i < once.size(); ++i) {
    const auto twice = test::read(layer.parameters().all()[i].gradient);
    for (std::size_t j = 0; j < twice.size(); ++j)
      ASSERT_NEAR(twice[j], 2 * once[i][j], 1e-5 * std::abs(once[i][j]) + 1e-6)
          << layer.parameters().all()[i].name;
  }
}

// At the start B is zero and no weight is clipped: the layer is the one that rounding W0 to the grid gives.
TEST(l4q, starts_as_the_rounded_weight) {
  test::LayerOptions o = options();
  o.scale_dtype = DType::f32;
  test::MethodLayer layer(shape, o);
  const auto x = normal(4 * 48, 1);
  const auto got = layer.pass(x, {normal(4 * 200, 2), normal(4 * 40, 3), normal(4 * 24, 4)});
  std::vector<double> w, want, size;
  const std::vector<float>& base = layer.weight(0);
  for (std::size_t i = 0; i < base.size(); ++i) {
    const auto grid = affine_start(std::span(base).subspan(i / 16 * 16, 16), o.bits, AffineStart::l4q);
    w.push_back(grid.scale * affine_code(base[i], grid.scale, grid.offset, o.bits));
  }
  reference::matmul_forward(want, cast<double>(x), w, cast<double>(layer.bias(0)), 200, 48);
  reference::matmul_forward(size, absolute(cast<double>(x)), absolute(w),
                            absolute(cast<double>(layer.bias(0))), 200, 48);
  test::expect_close(got.y[0], want, size, 50, "y");
  for (const float db : layer.gradient(q + ".offset")) ASSERT_EQ(db, 0) << "a weight counts as clipped";
}

// What leaves the run are codes whose weights are the training forward's, bit for bit, with 16-bit scales and
// offsets.
TEST(l4q, merged_codes_are_the_weights_of_training) {
  for (const char* train_offset : {"on", "off"}) {
    test::MethodLayer layer(shape, options({{"l4q.tile_rows", "128"}, {"l4q.train_offset", train_offset}}));
    const bool offset = train_offset == std::string("on");
    disturb(layer, offset);
    const QuantizedMatrix merged = dynamic_cast<L4qMethod&>(layer.method()).merged(test::device(), q);
    const auto weight = dynamic_cast<LowRankLinear&>(layer.linear()).weight(test::device(), 0);
    EXPECT_EQ(merged.weights(), weight);
    EXPECT_EQ(merged.offset, offset) << "an integer zero holds a grid without";
  }
}

TEST(l4q, tiles_do_not_change_the_result) {
  test::MethodLayer tiled(shape, options()), whole(shape, options({}));
  disturb(tiled);
  disturb(whole);
  EXPECT_LT(tiled.frozen_bytes(), whole.frozen_bytes());
  const auto x = normal(5 * 48, 1);
  EXPECT_EQ(tiled.pass(x).y, whole.pass(x).y);
}

// The largest layers of the plan stay a fraction of a weight: 32 MiB a tile.
TEST(l4q, scratch_is_bounded) {
  Parameters parameters;
  vk::Arena arena("scratch");
  const TileScratch tiles = reserve_tiles({.arena = arena,
                                           .parameters = parameters,
                                           .method = "l4q",
                                           .widest = 14336,
                                           .rank = 4,
                                           .targets = "",
                                           .model = "",
                                           .set = {}},
                                          0);
  EXPECT_EQ(tiles.rows, 512u);
  EXPECT_LT(arena.bytes(), std::uint64_t{64} << 20);
}

TEST(l4q, grids_take_no_weight_decay) {
  test::MethodLayer layer(shape, options());
  ASSERT_EQ(layer.parameters().ranges().size(), 2u);
  EXPECT_TRUE(layer.parameters().ranges()[0].group.decay);
  EXPECT_FALSE(layer.parameters().ranges()[1].group.decay);
}

TEST(l4q, options) {
  L4qOptions o;
  set_l4q_option(o, "init", "asymm");
  set_l4q_option(o, "grad_scale", "lsq");
  set_l4q_option(o, "tile_rows", "256");
  EXPECT_EQ(o.init, AffineStart::asymmetric);
  EXPECT_TRUE(o.lsq_gradient);
  EXPECT_EQ(o.tile_rows, 256u);
  EXPECT_THROW(set_l4q_option(o, "init", "gauss"), Error);
  EXPECT_THROW(set_l4q_option(o, "tile_rows", "100"), Error);
  EXPECT_THROW(set_l4q_option(o, "tile_rows", "nan"), Error);
  EXPECT_THROW(set_l4q_option(o, "mask_tol", "-1"), Error);
  EXPECT_THROW(set_l4q_option(o, "warmup", "3"), Error);
}

}  // namespace
}  // namespace walsh
