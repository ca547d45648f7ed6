#include "ops/spmm.h"

#include "cases/sparse_case.h"
#include "kernel_case.h"
#include "ops/spmm_reference.h"

namespace walsh {
namespace {

struct Shape3 {
  std::uint32_t tokens, rows, columns;
};

KernelCase product(TensorStore& store, const Shape3& shape, double density, bool forward) {
  const auto [tokens, rows, columns] = shape;
  const auto f = std::make_shared<CaseSupport>(store.device(), random_support(rows, columns, density));
  const std::uint32_t inputs = forward ? columns : rows, outputs = forward ? rows : columns;
  const auto xt = normal(std::size_t{inputs} * tokens, 1), values = normal(f->host.nonzeros(), 2);
  const Tensor y = store.empty({tokens, outputs}), txt = store.f32({inputs, tokens}, xt),
               tvalues = store.f32({values.size()}, values);
  const auto products = static_cast<double>(tokens) * f->host.nonzeros();
  return {.op = "spmm",
          .variant = forward ? "forward" : "backward",
          .shape = fmt::format("{} x {} x {}, {:.1f} %", tokens, rows, columns, 100 * density),
          .bytes = 4.0 * tokens * (rows + columns) + 8.0 * f->host.nonzeros(),
          .operations = 2 * products,
          .record =
              [=](Recorder& rec) {
                if (forward)
                  spmm_forward(rec, y, txt, tvalues, f->on_device, 0.5f, false);
                else
                  spmm_backward(rec, y, txt, tvalues, f->on_device, 0.5f, false);
              },
          .compare =
              [=, &store] {
                std::vector<double> expected(y.shape.elements(), 0.0), magnitude = expected;
                const auto run = forward ? reference::spmm_forward<double> : reference::spmm_backward<double>;
                run(expected, {xt.begin(), xt.end()}, {values.begin(), values.end()}, f->host, 0.5);
                run(magnitude, absolute(xt), absolute(values), f->host, 0.5);
                return Comparison{store.read(y), expected, magnitude, static_cast<double>(inputs)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  if (size == CaseSize::check)
    return {product(store, {70, 40, 64}, 0.2, true), product(store, {259, 33, 172}, 0.1, false),
            product(store, {72, 40, 64}, 0.2, true), product(store, {260, 33, 172}, 0.1, false)};
  std::vector<KernelCase> result;
  for (const bool forward : {true, false}) {
    result.push_back(product(store, {512, 1536, 576}, 0.04, forward));
    if (size == CaseSize::standard) continue;
    for (const Shape3& shape : {Shape3{512, 576, 1536}, Shape3{512, 576, 576}, Shape3{512, 4096, 4096}})
      for (const double density : {0.02, 0.06}) result.push_back(product(store, shape, density, forward));
  }
  return result;
}

const CaseRegistration registration("spmm", cases);

}  // namespace
}  // namespace walsh
