// One L4Q layer (arXiv 2402.04902) against l4q.json, in double and on the device:
//   y = x·Wqᵀ,  Wq = s·round(clamp((W0 + α·B·A − b)/s)) + b,  and every gradient.
#include "ops/fake_quant_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/low_rank.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

FakeQuantOptions options_of(const VectorCase& c) {
  return {.bits = c.param<std::uint32_t>("bits"),
          .group_size = c.param<std::uint32_t>("group_size"),
          .alpha = c.param<float>("alpha"),
          .tolerance = c.param<float>("mask_tol"),
          .grad_scale = c.param<float>("g_s"),
          .half_grid = false};
}

void compare_double(const VectorCase& c) {
  const std::size_t m = c.input("W0").shape[0], n = c.input("W0").shape[1];
  const auto in = [&](const char* key) { return c.input(key).as<double>(); };
  const auto base = in("W0"), a = in("A"), b = in("B"), s = in("s"), offset = in("b"), x = in("x"),
             gy = in("gy");
  const FakeQuantOptions options = options_of(c);
  const auto product = low_rank_product(b, a, m, n);
  std::vector<double> combined, v, w, y, dx;
  std::vector<int> codes, mask;
  for (std::size_t i = 0; i < base.size(); ++i) {
    combined.push_back(base[i] + options.alpha * product[i]);
    const auto q = reference::fake_quant_weight(combined[i], s[i / options.group_size],
                                                offset[i / options.group_size], options);
    v.push_back(q.v);
    codes.push_back(static_cast<int>(q.code));
    mask.push_back(q.inside);
  }
  c.compare("codes", codes);
  c.compare("mask", mask);
  reference::fake_quant_forward(w, base, product, s, offset, options);
  if (c.expects("Wc")) c.compare("Wc", combined);
  if (c.expects("v")) c.compare("v", v);
  if (c.expects("Wq")) c.compare("Wq", w);
  reference::matmul_forward(y, x, w, {}, m, n);
  c.compare("y", y);
  auto g = weight_gradient(dx, gy, x, w, m, n);
  if (c.expects("G")) c.compare("G", g);
  std::vector<double> ds, doffset, db, da;
  reference::fake_quant_backward(g, ds, doffset, base, product, s, offset, options);
  low_rank_backward(db, da, g, b, a, m, n);
  c.compare("dA", da);
  c.compare("dB", db);
  c.compare("ds", ds);
  c.compare("db", doffset);
  c.compare("dx", dx);
}

void compare_device(const VectorCase& c) {
  const std::uint64_t m = c.input("W0").shape[0], n = c.input("W0").shape[1], tokens = c.input("x").shape[0];
  const FakeQuantOptions options = options_of(c);
  const Shape weight{m, n}, grid{m, n / options.group_size};
  Tensors t;
  const auto in = [&](const char* key, const Shape& shape) { return t.f32(shape, c.input(key).as<float>()); };
  const Tensor base = in("W0", weight), s = in("s", grid), offset = in("b", grid), x = in("x", {tokens, n}),
               gy = in("gy", {tokens, m});
  const LowRankTensors low_rank(t, c.input("B").as<float>(), c.input("A").as<float>(), m, n);
  const Tensor w = t.empty(weight), y = t.empty({tokens, m}), dx = t.empty({tokens, n}), g = t.zeros(weight),
               ds = t.zeros(grid), doffset = t.zeros(grid);
  run([&](Recorder& rec) {
    low_rank.multiply(rec);
    fake_quant_forward(rec, w, base, low_rank.product, s, offset, options);
    matmul_forward(rec, y, x, w);
    matmul_backward(rec, dx, gy, w);
    matmul_backward_weight(rec, g, gy, x);
    fake_quant_backward(rec, g, ds, doffset, base, low_rank.product, s, offset, options);
    low_rank.backward(rec, g);
  });
  std::vector<int> codes;
  const auto got = read(w);
  const auto scale = c.input("s").data, zero = c.input("b").data;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::size_t k = i / options.group_size;
    codes.push_back(static_cast<int>(std::nearbyint((got[i] - zero[k]) / scale[k])));
  }
  c.compare("codes", codes);
  c.compare("y", read(y));
  c.compare("dA", read(low_rank.da));
  c.compare("dB", read(low_rank.db));
  c.compare("ds", read(ds));
  c.compare("db", read(doffset));
  c.compare("dx", read(dx));
}

}  // namespace

TEST(vectors, l4q) {
  WALSH_NEEDS_VECTORS("l4q");
  VectorReport report;
  for (const VectorCase& c : load_vectors("l4q")) {
    ASSERT_EQ(c.kind, "l4q") << c.name;
    compare_double(c);
    compare_device(c);
    report.compared(true);
  }
}

}  // namespace walsh::test
