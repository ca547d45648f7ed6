#include "ops/loss_scale.h"

#include "kernel_case.h"
#include "ops/loss_scale_reference.h"

namespace walsh {
namespace {

// A step that clips and at which the scale grows.
KernelCase grows(TensorStore& store) {
  const LossScaleOptions options{.max_norm = 0.3f, .growth_interval = 2};
  const Tensor fresh = store.f32({2}, {1000, 1}), fresh_state = store.f32({2}, {1024, 1}),
               norm = store.empty({2}), state = store.empty({2});
  return {.op = "loss_scale",
          .variant = "update, grows",
          .shape = "1",
          .bytes = 16,
          .operations = 8,
          .record =
              [=](Recorder& rec) {
                rec.copy(norm, fresh);
                rec.copy(state, fresh_state);
                loss_scale_update(rec, norm, state, options);
              },
          .compare =
              [=, &store] {
                std::array<double, 2> expected{1000, 1}, next{1024, 1};
                reference::loss_scale_update(expected, next, options);
                auto got = store.read(norm);
                const auto got_state = store.read(state);
                got.insert(got.end(), got_state.begin(), got_state.end());
                const std::vector<double> all{expected[0], expected[1], next[0], next[1]};
                return Comparison{got, all, all, 4};
              }};
}

KernelCase applies(TensorStore& store) {
  const Tensor scaled = store.empty({1}), factor = store.f32({1}, {0.3f}), state = store.f32({2}, {1024, 1});
  return {.op = "loss_scale",
          .variant = "apply",
          .shape = "1",
          .bytes = 12,
          .operations = 1,
          .record = [=](Recorder& rec) { loss_scale_apply(rec, scaled, factor, state); },
          .compare =
              [=, &store] {
                const double expected = 1024.0 * 0.3f;
                return Comparison{store.read(scaled), {expected}, {expected}, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize) { return {grows(store), applies(store)}; }

const CaseRegistration registration("loss_scale", cases);

}  // namespace
}  // namespace walsh
