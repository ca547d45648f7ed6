// The quantiser of one group against lsq.json: codes, mask, and the gradients of weight, scale and offset.
#include "ops/fake_quant_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

FakeQuantOptions options_of(const VectorCase& c, std::size_t count) {
  return {.bits = c.param<std::uint32_t>("bits"),
          .group_size = static_cast<std::uint32_t>(count),
          .grad_scale = c.param<float>("g_s"),
          .half_grid = false};
}

void compare_double(const VectorCase& c) {
  const auto base = c.input("W").as<double>();
  auto g = c.input("G").as<double>();
  const FakeQuantOptions options = options_of(c, base.size());
  const std::vector<double> none(base.size()), s{c.param<double>("s")}, b{c.param<double>("b")};
  std::vector<int> codes, mask;
  std::vector<double> v, w, ds, db;
  for (const double weight : base) {
    const auto q = reference::fake_quant_weight(weight, s[0], b[0], options);
    codes.push_back(static_cast<int>(q.code));
    mask.push_back(q.inside);
    v.push_back(q.v);
    w.push_back(q.w);
  }
  c.compare("codes", codes);
  c.compare("mask", mask);
  c.compare("Wq", w);
  if (c.expects("v")) c.compare("v", v);
  reference::fake_quant_backward(g, ds, db, base, none, s, b, options);
  c.compare("dW", g);
  c.compare("ds", ds);
  c.compare("db", db);
  if (c.expects("lsq_gradient_scale")) {
    const double highest = (1u << (options.bits - 1)) - 1;
    c.compare("lsq_gradient_scale",
              std::vector<double>{1 / std::sqrt(static_cast<double>(base.size()) * highest)});
  }
}

void compare_device(const VectorCase& c) {
  const auto base = c.input("W").as<float>();
  const FakeQuantOptions options = options_of(c, base.size());
  const Shape shape{1, base.size()};
  Tensors t;
  const Tensor w = t.empty(shape), g = t.f32(shape, c.input("G").as<float>()), ds = t.zeros({1, 1}),
               db = t.zeros({1, 1}), tb = t.f32(shape, base), none = t.zeros(shape),
               s = t.f32({1, 1}, {c.param<float>("s")}), b = t.f32({1, 1}, {c.param<float>("b")});
  run([&](Recorder& rec) {
    fake_quant_forward(rec, w, tb, none, s, b, options);
    fake_quant_backward(rec, g, ds, db, tb, none, s, b, options);
  });
  c.compare("Wq", read(w));
  c.compare("dW", read(g));
  c.compare("ds", read(ds));
  c.compare("db", read(db));
}

// v = 7.3: clamping first gives mask 0 and the derivative Qp; rounding first would give 1 and Qp − v.
void compare_order(const VectorCase& c) {
  const double v = c.input("v").data[0];
  const FakeQuantOptions options{.bits = c.param<std::uint32_t>("bits"), .group_size = 1, .half_grid = false};
  const auto q = reference::fake_quant_weight(v, 1.0, 0.0, options);
  c.compare("clamp_then_round_code", std::vector<int>{static_cast<int>(q.code)});
  c.compare("clamp_then_round_mask", std::vector<int>{q.inside});
  Tensors t;
  const Tensor g = t.f32({1, 1}, {1}), ds = t.zeros({1, 1}), db = t.zeros({1, 1});
  run([&](Recorder& rec) {
    fake_quant_backward(rec, g, ds, db, t.f32({1, 1}, {static_cast<float>(v)}), t.zeros({1, 1}),
                        t.f32({1, 1}, {1}), t.zeros({1, 1}), options);
  });
  c.compare("clamp_then_round_dWq_ds", read(ds));
  c.compare("clamp_then_round_mask", std::vector<int>{read(g)[0] != 0});
}

}  // namespace

TEST(vectors, lsq) {
  WALSH_NEEDS_VECTORS("lsq");
  VectorReport report;
  for (const VectorCase& c : load_vectors("lsq")) {
    if (c.kind == "lsq") {
      compare_double(c);
      compare_device(c);
    } else if (c.kind == "lsq_order") {
      compare_order(c);
    } else {
      FAIL() << c.name << ": unknown kind " << c.kind;
    }
    report.compared(true);
  }
}

}  // namespace walsh::test
