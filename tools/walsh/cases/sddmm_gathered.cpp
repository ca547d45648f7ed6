#include "ops/sddmm_gathered.h"

#include "cases/sparse_case.h"
#include "kernel_case.h"
#include "ops/sddmm_reference.h"

namespace walsh {
namespace {

struct Shape3 {
  std::uint32_t tokens, rows, columns;
};

// A support whose rows share their columns, a block at a time.
SparseMatrix shared_support(std::uint32_t rows, std::uint32_t columns, double density) {
  const SparseMatrix block = random_support((rows + 15) / 16, columns, density);
  SparseMatrix f{rows, columns, {0}, {}};
  for (std::uint32_t row = 0; row < rows; ++row) {
    f.columns_of.insert(f.columns_of.end(), block.columns_of.begin() + block.row_ptr[row / 16],
                        block.columns_of.begin() + block.row_ptr[row / 16 + 1]);
    f.row_ptr.push_back(f.nonzeros());
  }
  return f;
}

struct Support : CaseSupport {
  Support(vk::Device& device, SparseMatrix matrix)
      : CaseSupport(device, std::move(matrix)),
        blocks(reserve_blocks(of_blocks, host.rows, host.nonzeros())) {
    of_blocks.commit(device);
    upload(device, blocks, host);
  }
  vk::Arena of_blocks{"row blocks"};
  SparseBlocks blocks;
};

// The kernel adds to what is there: the gradient is cleared first.
KernelCase gathered(TensorStore& store, const Shape3& shape, double density) {
  const auto [tokens, rows, columns] = shape;
  const auto f = std::make_shared<Support>(store.device(), shared_support(rows, columns, density));
  const auto dyt = normal(std::size_t{rows} * tokens, 1), xt = normal(std::size_t{columns} * tokens, 2);
  const Tensor dvalues = store.zeros({f->host.nonzeros()}), tdyt = store.f32({rows, tokens}, dyt),
               txt = store.f32({columns, tokens}, xt);
  return {.op = "sddmm_gathered",
          .variant = "rows share columns",
          .shape = fmt::format("{} x {} x {}, {:.1f} %", tokens, rows, columns, 100 * density),
          .bytes = 4.0 * tokens * (rows + columns) + 10.0 * f->host.nonzeros(),
          .operations = 2.0 * tokens * f->host.nonzeros(),
          .products = true,
          .record =
              [=](Recorder& rec) {
                rec.clear(dvalues);
                sddmm_gathered(rec, dvalues, tdyt, txt, f->on_device, f->blocks, 0.5f);
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
  if (size == CaseSize::check) return {gathered(store, {70, 40, 64}, 0.2)};
  std::vector<KernelCase> result{gathered(store, {512, 1536, 576}, 0.04)};
  if (size == CaseSize::standard) return result;
  for (const double density : {0.02, 0.06}) result.push_back(gathered(store, {512, 4096, 4096}, density));
  result.push_back(gathered(store, {8192, 14336, 4096}, 0.02));  // rank 64
  return result;
}

const CaseRegistration registration("sddmm_gathered", cases);

}  // namespace
}  // namespace walsh
