#include "ops/fake_quant.h"

#include <cmath>

#include "base/philox.h"
#include "kernel_case.h"
#include "ops/fake_quant_reference.h"

namespace walsh {
namespace {

// A tile whose weights lie 0.05 to 0.45 steps above a code, so that no driver's rounding decides; some codes
// are outside of the grid.
KernelCase make(TensorStore& store, bool backward, std::uint64_t rows, std::uint64_t columns,
                std::uint32_t group_size, std::uint32_t bits) {
  const FakeQuantOptions options{.bits = bits, .group_size = group_size, .alpha = 2};
  const std::uint64_t count = rows * columns;
  const int half = 1 << (bits - 1);
  Philox random(1);
  std::vector<float> scale(count / group_size), offset(scale.size()), base(count), product = normal(count, 2),
                                                                                   g = normal(count, 3);
  for (float& s : scale) s = 0.01f + 0.01f * random.uniform();
  for (float& b : offset) b = 0.01f * random.uniform();
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = static_cast<float>(static_cast<int>(random.below(2 * half + 2)) - half - 1);
    product[i] *= 0.01f;
    base[i] = scale[i / group_size] * (code + 0.05f + 0.4f * random.uniform()) + offset[i / group_size] -
              options.alpha * product[i];
  }
  const Shape shape{rows, columns}, grid{rows, columns / group_size};
  const Tensor tbase = store.f32(shape, base), tproduct = store.f32(shape, product),
               tscale = store.f32(grid, scale), toffset = store.f32(grid, offset),
               out = backward ? store.f32(shape, g) : store.empty(shape), dscale = store.zeros(grid),
               doffset = store.zeros(grid);
  const auto elements = static_cast<double>(count);
  return {
      .op = "fake_quant",
      .variant = fmt::format("{}, {} bits, group {}", backward ? "backward" : "forward", bits, group_size),
      .shape = fmt::format("{} x {}", rows, columns),
      .bytes = (backward ? 16 : 12) * elements,
      .operations = 8 * elements,
      .record =
          [=](Recorder& rec) {
            if (backward) {
              fake_quant_backward(rec, out, dscale, doffset, tbase, tproduct, tscale, toffset, options);
            } else {
              fake_quant_forward(rec, out, tbase, tproduct, tscale, toffset, options);
            }
          },
      .compare =
          [=, &store] {
            const std::vector<double> b(base.begin(), base.end()), p(product.begin(), product.end()),
                s(scale.begin(), scale.end()), o(offset.begin(), offset.end());
            const double span = 2 * half;
            std::vector<double> want, size;
            if (!backward) {
              reference::fake_quant_forward(want, b, p, s, o, options);
              for (std::size_t i = 0; i < count; ++i) size.push_back(span * s[i / group_size]);
              return Comparison{store.read(out), want, size, 2};
            }
            std::vector<double> gradient(g.begin(), g.end()), doff;
            size.assign(scale.size(), 0);
            for (std::size_t i = 0; i < count; ++i) size[i / group_size] += span * std::abs(g[i]);
            reference::fake_quant_backward(gradient, want, doff, b, p, s, o, options);
            return Comparison{store.read(dscale), want, size, static_cast<double>(group_size)};
          }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  std::vector<KernelCase> list;
  for (const bool backward : {false, true}) {
    if (size == CaseSize::check) {
      list.push_back(make(store, backward, 7, 60, 30, 3));
      list.push_back(make(store, backward, 33, 256, 128, 4));
      list.push_back(make(store, backward, 3, 1100, 1100, 2));
    } else {
      list.push_back(make(store, backward, 1024, 4096, 128, 4));
    }
  }
  return list;
}

const CaseRegistration registration("fake_quant", cases);

}  // namespace
}  // namespace walsh
