// One LR-QAT layer (arXiv 2406.06385) against lr_qat.json, in double and on the device, for every storage of
// Phi0:
//   y = x·Ŵᵀ,  Ŵ = s·(clip(round(Phi0 + scaling·A·B)) − z),  and every gradient.
// The vectors' A [m, r] and B [r, n] are B and A of src/methods.
#include "ops/requantize_reference.h"
#include "quantize/phi.h"
#include "tests/support/gpu.h"
#include "tests/support/low_rank.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

struct Layer {
  std::size_t m, n;
  PhiFormat format;
  reference::IntegerGrid grid;
  std::vector<std::uint32_t> zeros;

  explicit Layer(const VectorCase& c) : m(c.input("W0").shape[0]), n(c.input("W0").shape[1]) {
    const bool asymmetric = c.json.at("inputs").contains("zeros");
    const auto bits = c.param<std::uint32_t>("bits"), group = c.param<std::uint32_t>("group_size");
    format = {.store = parse_phi_store(c.param<std::string>("phi")), .bits = bits, .asymmetric = asymmetric};
    if (asymmetric) zeros = c.input("zeros").as<std::uint32_t>();
    grid = {.lowest = static_cast<double>(format.lowest()),
            .highest = static_cast<double>(format.highest()),
            .integer = format.store == PhiStore::integer,
            .zeros = {zeros.begin(), zeros.end()},
            .options = {.group_size = group, .scaling = c.param<float>("scaling"), .half_scale = false}};
  }
};

template <typename T>
std::vector<T> phi_of(const VectorCase& c, const Layer& layer) {
  const auto w = c.input("W0").as<T>(), s0 = c.input("s0").as<T>();
  return make_phi(std::span<const T>(w), std::span<const T>(s0), std::span<const std::uint32_t>(layer.zeros),
                  layer.format);
}

void compare_double(const VectorCase& c) {
  const Layer l(c);
  const auto in = [&](const char* key) { return c.input(key).as<double>(); };
  const auto b = in("A"), a = in("B"), s = in("s"), x = in("x"), gy = in("gy");
  const auto phi = phi_of<double>(c, l);
  if (c.expects("Phi")) c.compare("Phi", phi);
  if (c.expects("stored")) {
    std::vector<int> stored;
    for (const double value : phi)
      stored.push_back(static_cast<int>(std::ldexp(value, static_cast<int>(l.format.fraction()))));
    c.compare("stored", stored);
  }
  const auto product = low_rank_product(b, a, l.m, l.n);
  std::vector<int> at_start, codes, mask;
  std::vector<double> z, w, y, dx;
  for (std::size_t i = 0; i < phi.size(); ++i) {
    at_start.push_back(static_cast<int>(reference::requantize_weight(phi[i], 0.0, l.grid).code));
    const auto q = reference::requantize_weight(phi[i], product[i], l.grid);
    codes.push_back(static_cast<int>(std::nearbyint(q.code)));
    mask.push_back(q.inside);
    z.push_back(q.z);
  }
  c.compare("codes_at_start", at_start);
  c.compare("codes", codes);
  c.compare("mask", mask);
  if (c.expects("Z")) c.compare("Z", z);
  reference::requantize_forward(w, phi, product, s, l.grid);
  if (c.expects("W_hat")) c.compare("W_hat", w);
  reference::matmul_forward(y, x, w, {}, l.m, l.n);
  c.compare("y", y);
  auto g = weight_gradient(dx, gy, x, w, l.m, l.n);
  std::vector<double> ds, db, da;
  reference::requantize_backward(g, ds, phi, product, s, l.grid);
  low_rank_backward(db, da, g, b, a, l.m, l.n);
  c.compare("dA", db);
  c.compare("dB", da);
  c.compare("ds", ds);
  c.compare("dx", dx);
}

void compare_device(const VectorCase& c) {
  const Layer l(c);
  const std::uint64_t m = l.m, n = l.n, tokens = c.input("x").shape[0];
  const RequantizeOptions options = l.grid.options;
  const Shape weight{m, n}, grid{m, n / options.group_size};
  Tensors t;
  const auto in = [&](const char* key, const Shape& shape) { return t.f32(shape, c.input(key).as<float>()); };
  const Tensor s = in("s", grid), x = in("x", {tokens, n}), gy = in("gy", {tokens, m});
  FrozenPhi phi{
      .columns = static_cast<std::uint32_t>(n), .bits = l.format.bits, .fraction = l.format.fraction()};
  const auto values = phi_of<float>(c, l);
  if (l.format.packed()) {
    const auto words = pack_phi(values, static_cast<std::uint32_t>(n), l.format);
    phi.packed = t.u32({m, words.size() / m}, words);
  } else if (l.format.store == PhiStore::bf16) {
    phi.dense = t.half(DType::bf16, weight, values);
  } else {
    phi.dense = t.f32(weight, values);
  }
  if (l.format.asymmetric) phi.zeros = t.u32(grid, l.zeros);
  const LowRankTensors low_rank(t, c.input("A").as<float>(), c.input("B").as<float>(), m, n);
  const Tensor w = t.empty(weight), y = t.empty({tokens, m}), dx = t.empty({tokens, n}), g = t.zeros(weight),
               ds = t.zeros(grid), start = t.empty(weight), none = t.zeros(weight);
  run([&](Recorder& rec) {
    requantize_forward(rec, start, phi, none, s, options);
    low_rank.multiply(rec);
    requantize_forward(rec, w, phi, low_rank.product, s, options);
    matmul_forward(rec, y, x, w);
    matmul_backward(rec, dx, gy, w);
    matmul_backward_weight(rec, g, gy, x);
    requantize_backward(rec, g, ds, phi, low_rank.product, s, options);
    low_rank.backward(rec, g);
  });
  const auto codes_of = [&](const Tensor& from) {
    std::vector<int> codes;
    const auto got = read(from);
    const auto scale = c.input("s").data;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::size_t k = i / options.group_size;
      codes.push_back(static_cast<int>(std::nearbyint(got[i] / scale[k] + l.grid.zero(k))));
    }
    return codes;
  };
  c.compare("codes_at_start", codes_of(start));
  c.compare("codes", codes_of(w));
  c.compare("y", read(y));
  c.compare("dA", read(low_rank.db));
  c.compare("dB", read(low_rank.da));
  c.compare("ds", read(ds));
  c.compare("dx", read(dx));
}

}  // namespace

TEST(vectors, lr_qat) {
  WALSH_NEEDS_VECTORS("lr_qat");
  VectorReport report;
  for (const VectorCase& c : load_vectors("lr_qat")) {
    ASSERT_EQ(c.kind, "lr_qat") << c.name;
    compare_double(c);
    compare_device(c);
    report.compared(true);
  }
}

}  // namespace walsh::test
