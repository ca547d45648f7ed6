#include "ops/requantize.h"

#include <cmath>

#include "base/philox.h"
#include "kernel_case.h"
#include "ops/requantize_reference.h"
#include "quantize/phi.h"

namespace walsh {
namespace {

// A tile whose z lie 0.05 to 0.45 steps above a code, so that no driver's rounding decides; some are outside.
KernelCase make(TensorStore& store, bool backward, std::uint32_t rows, std::uint32_t columns,
                std::uint32_t group_size, const PhiFormat& format) {
  const std::uint64_t count = std::uint64_t{rows} * columns;
  const int half = 1 << (format.bits - 1);
  const reference::IntegerGrid grid{.lowest = static_cast<double>(format.lowest()),
                                    .highest = static_cast<double>(format.highest()),
                                    .integer = format.store == PhiStore::integer,
                                    .zeros = {},
                                    .options = {.group_size = group_size, .scaling = 0.5f}};
  Philox random(1);
  std::vector<float> scale(count / group_size), weight = normal(count, 2), product(count),
                                                g = normal(count, 3);
  for (float& s : scale) s = 0.25f + 0.25f * random.uniform();
  const auto phi = make_phi(std::span<const float>(weight), std::span<const float>(scale), {}, format);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = static_cast<float>(static_cast<int>(random.below(2 * half + 2)) - half - 1);
    product[i] = (code + 0.05f + 0.4f * random.uniform() - phi[i]) / grid.options.scaling;
  }
  const auto words = pack_phi(phi, columns, format);
  const FrozenPhi tphi{.packed = store.u32({rows, words.size() / rows}, words),
                       .columns = columns,
                       .bits = format.bits,
                       .fraction = format.fraction()};
  const Shape shape{rows, columns}, groups{rows, columns / group_size};
  const Tensor tproduct = store.f32(shape, product), tscale = store.f32(groups, scale),
               out = backward ? store.f32(shape, g) : store.empty(shape), dscale = store.zeros(groups);
  const auto elements = static_cast<double>(count);
  return {.op = "requantize",
          .variant = fmt::format(
              "{}, {} bits{}, group {}", backward ? "backward" : "forward", format.bits,
              format.fraction() ? fmt::format(" and {} after the point", format.fraction()) : "", group_size),
          .shape = fmt::format("{} x {}", rows, columns),
          .bytes = (backward ? 12 : 8) * elements + 4.0 * static_cast<double>(words.size()),
          .operations = 6 * elements,
          .record =
              [=](Recorder& rec) {
                if (backward) {
                  requantize_backward(rec, out, dscale, tphi, tproduct, tscale, grid.options);
                } else {
                  requantize_forward(rec, out, tphi, tproduct, tscale, grid.options);
                }
              },
          .compare =
              [=, &store] {
                const std::vector<double> f(phi.begin(), phi.end()), p(product.begin(), product.end()),
                    s(scale.begin(), scale.end());
                std::vector<double> want, size;
                if (!backward) {
                  reference::requantize_forward(want, f, p, s, grid);
                  for (const double w : want) size.push_back(std::abs(w));
                  return Comparison{store.read(out), want, size, 1};
                }
                std::vector<double> gradient(g.begin(), g.end());
                size.assign(scale.size(), 0);
                for (std::size_t i = 0; i < count; ++i) size[i / group_size] += half * std::abs(g[i]);
                reference::requantize_backward(gradient, want, f, p, s, grid);
                return Comparison{store.read(dscale), want, size, static_cast<double>(group_size)};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  std::vector<KernelCase> list;
  for (const bool backward : {false, true}) {
    for (const PhiStore phi : {PhiStore::fixed8, PhiStore::integer}) {
      if (size == CaseSize::check) {
        list.push_back(make(store, backward, 7, 60, 30, {.store = phi, .bits = 3}));
        list.push_back(make(store, backward, 33, 256, 128, {.store = phi, .bits = 4}));
        list.push_back(make(store, backward, 3, 1100, 1100, {.store = phi, .bits = 2}));
      } else {
        list.push_back(make(store, backward, 1024, 4096, 128, {.store = phi, .bits = 4}));
      }
    }
  }
  return list;
}

const CaseRegistration registration("requantize", cases);

}  // namespace
}  // namespace walsh
