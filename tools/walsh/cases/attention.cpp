#include "ops/attention.h"

#include <cmath>

#include "kernel_case.h"
#include "ops/attention_reference.h"

namespace walsh {
namespace {

struct Model {
  std::uint64_t heads, kv_heads, width;
};

/// One sequence of S tokens in causal order, of which the last T are the queries.
struct Problem {
  reference::AttentionShape shape;
  reference::KeyRanges ranges;
  std::vector<float> q, k, v, dy;
  AttentionRanges device_ranges;
  Tensor tq, tk, tv, tdy, y, lse;

  float scale() const { return 1 / std::sqrt(static_cast<float>(shape.width)); }
  /// Multiplications and additions of `products` products of a row with a key.
  double operations(double products) const {
    const double queries = static_cast<double>(shape.queries), keys = static_cast<double>(shape.keys);
    return 2 * products * queries * (keys - (queries - 1) / 2) *
           static_cast<double>(shape.heads * shape.width);
  }
};

Problem make_problem(TensorStore& store, const Model& model, std::uint64_t queries, std::uint64_t keys) {
  Problem p;
  p.shape = {queries, keys, model.heads, model.kv_heads, model.width};
  std::vector<std::uint32_t> query_begin, query_end;
  for (std::uint64_t t = 0; t < queries; ++t) {
    p.ranges.begin.push_back(0);
    p.ranges.end.push_back(static_cast<std::uint32_t>(keys - queries + t + 1));
  }
  for (std::uint64_t s = 0; s < keys; ++s) {
    query_begin.push_back(static_cast<std::uint32_t>(s + queries > keys ? s + queries - keys : 0));
    query_end.push_back(static_cast<std::uint32_t>(queries));
  }
  p.q = normal(queries * model.heads * model.width, 1);
  p.k = normal(keys * model.kv_heads * model.width, 2);
  p.v = normal(p.k.size(), 3);
  p.dy = normal(p.q.size(), 4);
  const Shape q_shape{queries, model.heads, model.width}, k_shape{keys, model.kv_heads, model.width};
  p.device_ranges = {store.u32({queries}, p.ranges.begin), store.u32({queries}, p.ranges.end),
                     store.u32({keys}, query_begin), store.u32({keys}, query_end)};
  p.tq = store.f32(q_shape, p.q);
  p.tk = store.f32(k_shape, p.k);
  p.tv = store.f32(k_shape, p.v);
  p.tdy = store.f32(q_shape, p.dy);
  p.y = store.empty(q_shape);
  p.lse = store.empty({queries, model.heads});
  return p;
}

std::string text(const reference::AttentionShape& s) {
  return fmt::format("{} x {}, {} / {} heads x {}", s.queries, s.keys, s.heads, s.kv_heads, s.width);
}

KernelCase forward(TensorStore& store, const Model& model, std::uint64_t queries, std::uint64_t keys) {
  const Problem p = make_problem(store, model, queries, keys);
  return {
      .op = "attention",
      .variant = queries == 1 ? "forward, decoding" : "forward",
      .shape = text(p.shape),
      .bytes = 8 * static_cast<double>(p.q.size() + p.k.size()),
      .operations = p.operations(2),
      .products = true,
      .record =
          [=](Recorder& rec) {
            attention_forward(rec, p.y, p.lse, p.tq, p.tk, p.tv, p.device_ranges, p.scale());
          },
      .compare =
          [=, &store] {
            const std::vector<double> q(p.q.begin(), p.q.end()), k(p.k.begin(), p.k.end()),
                v(p.v.begin(), p.v.end()), dy(p.dy.begin(), p.dy.end());
            std::vector<double> y, lse;
            reference::attention_forward(y, lse, p.shape, q, k, v, p.ranges, p.scale());
            const auto sums = reference::attention_magnitudes(p.shape, dy, lse, q, k, v, p.ranges, p.scale());
            return Comparison{store.read(p.y), y, sums.y, static_cast<double>(p.shape.keys + p.shape.width)};
          }};
}

/// Compares dk, which every part of the backward feeds but dq.
KernelCase backward(TensorStore& store, const Model& model, std::uint64_t tokens) {
  const Problem p = make_problem(store, model, tokens, tokens);
  const Tensor dq = store.empty(p.tq.shape), dk = store.empty(p.tk.shape), dv = store.empty(p.tk.shape),
               delta = store.empty(p.lse.shape);
  // The backward starts from the forward's y and lse, which one run computes here so that timing leaves it
  // out.
  vk::run_once(store.device(), [&](Recorder& rec) {
    attention_forward(rec, p.y, p.lse, p.tq, p.tk, p.tv, p.device_ranges, p.scale());
  });
  return {
      .op = "attention",
      .variant = "backward",
      .shape = text(p.shape),
      .bytes = 4 * static_cast<double>(4 * p.q.size() + 4 * p.k.size()),
      .operations = p.operations(5),
      .products = true,
      .record =
          [=](Recorder& rec) {
            attention_backward(rec, dq, dk, dv, delta, p.tdy, p.y, p.lse, p.tq, p.tk, p.tv, p.device_ranges,
                               p.scale());
          },
      .compare =
          [=, &store] {
            const std::vector<double> q(p.q.begin(), p.q.end()), k(p.k.begin(), p.k.end()),
                v(p.v.begin(), p.v.end()), dy(p.dy.begin(), p.dy.end());
            std::vector<double> y, lse, rdq, rdk, rdv;
            reference::attention_forward(y, lse, p.shape, q, k, v, p.ranges, p.scale());
            reference::attention_backward(rdq, rdk, rdv, p.shape, dy, y, lse, q, k, v, p.ranges, p.scale());
            const auto sums = reference::attention_magnitudes(p.shape, dy, lse, q, k, v, p.ranges, p.scale());
            const double rows = static_cast<double>(tokens * model.heads / model.kv_heads + model.width);
            return Comparison{store.read(dk), rdk, sums.dk, rows};
          }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  constexpr Model smollm_135m{9, 3, 64}, llama_1b{32, 8, 64}, llama_8b{32, 8, 128};
  constexpr Model wide{4, 2, 128}, widest{2, 1, 256};
  if (size == CaseSize::check) {
    return {forward(store, smollm_135m, 70, 70), forward(store, smollm_135m, 1, 100),
            backward(store, smollm_135m, 70),    forward(store, wide, 37, 37),
            backward(store, wide, 37),           forward(store, widest, 37, 37),
            forward(store, widest, 1, 37),       backward(store, widest, 37)};
  }
  std::vector<KernelCase> all{forward(store, smollm_135m, 512, 512), forward(store, smollm_135m, 1, 2048),
                              backward(store, smollm_135m, 512)};
  if (size == CaseSize::standard) return all;
  for (const Model& model : {llama_1b, llama_8b}) {
    all.push_back(forward(store, model, 2048, 2048));
    all.push_back(forward(store, model, 1, 2048));
    all.push_back(backward(store, model, 2048));
  }
  return all;
}

const CaseRegistration registration("attention", cases);

}  // namespace
}  // namespace walsh
