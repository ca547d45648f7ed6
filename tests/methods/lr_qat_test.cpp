#include "methods/lr_qat.h"

#include "ops/quant_matmul.h"
#include "ops/requantize_reference.h"
#include "quantize/rtn.h"
#include "tests/support/low_rank_gradients.h"
#include "tests/support/method_layer.h"

namespace walsh {
namespace {

using test::absolute;
using test::cast;

const std::string gate = "model.layers.0.mlp.gate_proj", up = "model.layers.0.mlp.up_proj";

// gate takes two tiles of rows.
const test::LayerShape shape{.columns = 48, .projections = {{gate, 200}, {up, 40}}};

test::LayerOptions options(const std::string& phi, const std::string& asymmetric,
                           DType scale_dtype = DType::f16) {
  return {.method = "lr-qat",
          .bits = 3,
          .rank = 3,
          .group_size = 16,
          .alpha = 1.5,
          .scale_dtype = scale_dtype,
          .set = {{"lr-qat.tile_rows", "128"}, {"lr-qat.phi", phi}, {"lr-qat.asymmetric", asymmetric}}};
}

void disturb(test::MethodLayer& layer) {
  for (const std::string& name : {gate, up}) {
    layer.disturb(name + ".B", 5, 11);
    layer.disturb(name + ".scale", 0.002f, 12);
  }
}

LrQatMethod& method(test::MethodLayer& layer) { return dynamic_cast<LrQatMethod&>(layer.method()); }

struct Case {
  const char *phi, *asymmetric;
  DType scale_dtype;
};
class LrQatLayer : public testing::TestWithParam<Case> {};

TEST_P(LrQatLayer, gradients_agree_with_reference) {
  const Case c = GetParam();
  test::MethodLayer layer(shape, options(c.phi, c.asymmetric, c.scale_dtype));
  disturb(layer);
  const std::size_t n = shape.columns, tokens = 7;
  const auto x = normal(tokens * n, 1);
  const std::vector<std::vector<float>> dy = {normal(tokens * 200, 2), normal(tokens * 40, 3)};
  const auto got = layer.pass(x, dy);
  const PhiFormat format = method(layer).format();
  std::vector<double> want_dx, size_dx;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& [name, rows] = shape.projections[i];
    const auto ranges = method(layer).ranges(name, layer.weight(i), shape.columns);
    const auto phi =
        cast<double>(make_phi(std::span<const float>(layer.weight(i)), std::span<const float>(ranges.scale),
                              std::span<const std::uint32_t>(ranges.zeros), format));
    const reference::IntegerGrid grid{.lowest = static_cast<double>(format.lowest()),
                                      .highest = static_cast<double>(format.highest()),
                                      .integer = format.store == PhiStore::integer,
                                      .zeros = cast<double>(ranges.zeros),
                                      .options = method(layer).quantiser(shape.columns)};
    const auto b = cast<double>(layer.value(name + ".B")), a = cast<double>(layer.value(name + ".A")),
               s = cast<double>(layer.value(name + ".scale")), X = cast<double>(x), DY = cast<double>(dy[i]);
    const auto product = test::low_rank_product(b, a, rows, n);
    std::vector<double> w;
    reference::requantize_forward(w, phi, product, s, grid);
    auto want = test::projection(X, DY, w, {}, rows, n);
    const auto size = test::projection(absolute(X), absolute(DY), absolute(w), {}, rows, n);
    test::expect_close(got.y[i], want.y, size.y, n + 1.0, "y");
    test::add_to(want_dx, want.dx);
    test::add_to(size_dx, size.dx);
    std::vector<double> ds, size_ds(s.size()), size_h(want.g.size()), size_db, size_da;
    for (std::size_t j = 0; j < want.g.size(); ++j) {
      size_ds[j / 16] += 8 * size.g[j];
      size_h[j] = grid.options.scaling * grid.scale(s[j / 16]) * size.g[j];
    }
    reference::requantize_backward(want.g, ds, phi, product, s, grid);
    test::low_rank_backward(want.db, want.da, want.g, b, a, rows, n);
    test::low_rank_backward(size_db, size_da, size_h, absolute(b), absolute(a), rows, n);
    test::expect_close(layer.gradient(name + ".B"), want.db, size_db, tokens + n, "dB");
    test::expect_close(layer.gradient(name + ".A"), want.da, size_da, tokens + rows, "dA");
    test::expect_close(layer.gradient(name + ".scale"), ds, size_ds, tokens + 16.0, "dscale");
  }
  test::expect_close(got.dx, want_dx, size_dx, 240, "dx");
}

INSTANTIATE_TEST_SUITE_P(stores, LrQatLayer,
                         testing::Values(Case{"fixed8", "off", DType::f16}, Case{"int", "off", DType::f32},
                                         Case{"bf16", "off", DType::f16}, Case{"fixed8", "on", DType::f32},
                                         Case{"int", "on", DType::f16}, Case{"fp32", "off", DType::f32}));

// With B zero the codes are those of rounding W0 to the grid that the range search found. (fixed8 rounds
// twice, so that weights close to a tie may differ; README's bound is half of its last bit.)
TEST(lr_qat, starts_as_the_rounded_weight) {
  for (const std::string phi : {"int", "bf16", "fixed8"}) {
    test::MethodLayer layer(shape, options(phi, "off"));
    const QuantizedMatrix merged = method(layer).merged(test::device(), gate);
    const auto ranges = method(layer).ranges(gate, layer.weight(0), shape.columns);
    std::size_t differ = 0;
    for (std::uint32_t i = 0; i < 200; ++i) {
      for (std::uint32_t j = 0; j < 48; ++j) {
        const float s = ranges.scale[i * 3 + j / 16], w = layer.weight(0)[i * 48 + j];
        const int code = static_cast<int>(merged.code(i, j)) - 4, rounded = symmetric_code(w, s, 3);
        if (code == rounded) continue;
        ++differ;
        const float part = w / s - std::floor(w / s);
        const float near = phi == "int"    ? 0
                           : phi == "bf16" ? 0x1p-7f
                                           : 0x1p-6f;  // of a tie: half of phi's last bit
        ASSERT_LE(std::abs(part - 0.5f), near) << phi << ": " << w / s;
      }
    }
    EXPECT_LE(differ, phi == "int" ? 0u : 200u * 48 / 20);
  }
}

// The quantised matrix that leaves the run gives the same bits as training's forward, weight by weight and
// through the kernels that read packed codes.
TEST(lr_qat, merged_codes_are_the_weights_of_training) {
  for (const auto& [phi, asymmetric] : {std::pair{"fixed8", "off"}, {"int", "on"}, {"bf16", "off"}}) {
    test::MethodLayer layer(shape, options(phi, asymmetric));
    disturb(layer);
    const QuantizedMatrix merged = method(layer).merged(test::device(), gate);
    const auto weight = dynamic_cast<LowRankLinear&>(layer.linear()).weight(test::device(), 0);
    EXPECT_EQ(merged.weights(), weight);
    vk::Arena arena("merged");
    const QuantizedTensor packed = reserve_quantized(arena, 200, 48, 3, 16);
    arena.commit(test::device());
    upload(test::device(), packed, merged);
    const auto x = normal(24 * 48, 1);
    test::Tensors t;
    const Tensor y = t.empty({24, 200});
    test::run([&](vk::Recorder& rec) { quant_matmul_forward(rec, y, t.f32({24, 48}, x), packed); });
    EXPECT_EQ(test::read(y), layer.pass(x).y[0]) << phi;
  }
}

TEST(lr_qat, phi_takes_the_place_of_the_weight) {
  const auto bytes = [](const char* phi) {
    return test::MethodLayer({.columns = 1024, .projections = {{gate, 512}}},
                             {.method = "lr-qat", .bits = 4, .rank = 2, .set = {{"lr-qat.phi", phi}}})
        .frozen_bytes();
  };
  const std::uint64_t weights = 512 * 1024;
  EXPECT_EQ(bytes("fixed8") - bytes("int"), weights / 2);  // a byte, half a byte
  EXPECT_EQ(bytes("bf16") - bytes("fixed8"), weights);
  test::MethodLayer layer({.columns = 64, .projections = {{gate, 32}}}, {.method = "lr-qat", .rank = 2});
  EXPECT_FALSE(layer.linear().weights()[0].dense) << "W0 is kept beside Phi0";
}

TEST(lr_qat, scales_have_a_rate_of_their_own) {
  test::LayerOptions o = options("fixed8", "off");
  o.set["lr-qat.scale_rate"] = "0.25";
  test::MethodLayer layer(shape, o);
  ASSERT_EQ(layer.parameters().ranges().size(), 2u);
  EXPECT_EQ(layer.parameters().ranges()[0].group, ParameterGroup{});
  EXPECT_EQ(layer.parameters().ranges()[1].group, (ParameterGroup{.rate = 0.25f, .decay = false}));
}

TEST(lr_qat, two_bits_have_defaults_of_their_own) {
  for (const std::uint32_t bits : {2u, 3u}) {
    test::MethodLayer layer(shape, {.method = "lr-qat", .bits = bits, .rank = 3, .group_size = 16});
    EXPECT_EQ(method(layer).format().asymmetric, bits == 2);
    EXPECT_EQ(layer.parameters().ranges()[1].group,
              (ParameterGroup{.rate = bits == 2 ? 0.1f : 0.01f, .decay = false}));
  }
}

TEST(lr_qat, refuses_a_weight_that_is_not_finite) {
  test::MethodLayer layer(shape, options("fixed8", "off"));
  std::vector<float> weight = layer.weight(1);
  weight[49] = std::numeric_limits<float>::infinity();
  try {
    method(layer).ranges(up, weight, shape.columns);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "model.layers.0.mlp.up_proj: a weight of row 1 is inf, not a finite number");
  }
}

TEST(lr_qat, options) {
  LrQatOptions o;
  set_lr_qat_option(o, "phi", "int");
  set_lr_qat_option(o, "p", "2.4");
  set_lr_qat_option(o, "asymmetric", "on");
  EXPECT_EQ(o.phi, PhiStore::integer);
  EXPECT_EQ(o.p, 2.4);
  EXPECT_TRUE(o.asymmetric);
  EXPECT_THROW(set_lr_qat_option(o, "phi", "int8"), Error);
  EXPECT_THROW(set_lr_qat_option(o, "p", "0.5"), Error);
  EXPECT_THROW(set_lr_qat_option(o, "rank", "3"), Error);
}

}  // namespace
}  // namespace walsh
