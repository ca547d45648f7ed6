#include "ops/sddmm.h"

#include "cases/sparse_case.h"
#include "kernel_case.h"
#include "ops/sddmm_reference.h"

namespace walsh {
namespace {

struct Shape3 {
  std::uint32_t tokens, rows, columns;
};

// The kernel adds to what is there: the gradient is cleared first.
KernelCase sampled(TensorStore& store, const Shape3& shape, double density) {
  const auto [tokens, rows, columns] = shape;
  const auto f = std::make_shared<CaseSupport>(store.device(), random_support(rows, columns, density));
  const auto dyt = normal(std::size_t{rows} * tokens, 1), xt = normal(std::size_t{columns} * tokens, 2);
  const Tensor dvalues = store.zeros({f->host.nonzeros()}), tdyt = store.f32({rows, tokens}, dyt),
               txt = store.f32({columns, tokens}, xt);
  return {.op = "sddmm",
          .variant = "f32",
          .shape = fmt::format("{} x {} x {}, {:.1f} %", tokens, rows, columns, 100 * density),
          .bytes = 4.0 * tokens * (rows + columns) + 10.0 * f->host.nonzeros(),
          .operations = 2.0 * tokens * f->host.nonzeros(),
          .record =
              [=](Recorder& rec) {
                rec.clear(dvalues);
                sddmm(rec, dvalues, tdyt, txt, f->on_device, 0.5f);
              },
          .compare =
              [=, &store] {
                std::vector<double> expected(f->host.nonzeros(), 0.0), magnitude = expected;
                reference::sddmm(expected, {dyt.begin(), dyt.end()}, {xt.begin(), xt.end()}, f->host, 0.5);
                reference::sddmm(magnitude, absolute(dyt), absolute(xt), f->host, 0.5);
                return Comparison{store.read(dvalues), expected, magnitude,
                                  static_cast<double>(txt.shape.back())};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check)
    return {sampled(store, {70, 40, 64}, 0.2), sampled(store, {1100, 33, 172}, 0.1)};
  std::vector<KernelCase> result{sampled(store, {512, 1536, 576}, 0.04)};
  if (size == CaseSize::standard) return result;
  for (const Shape3& shape : {Shape3{512, 576, 1536}, Shape3{512, 576, 576}, Shape3{512, 4096, 4096}})
    for (const double density : {0.02, 0.06}) result.push_back(sampled(store, shape, density));
  result.push_back(sampled(store, {8192, 14336, 4096}, 0.02));  // rank 64
  return result;
}

const CaseRegistration registration("sddmm", cases);

}  // namespace
}  // namespace walsh
