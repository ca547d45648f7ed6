#include "ops/sparse_rows.h"

#include "cases/sparse_case.h"
#include "kernel_case.h"
#include "ops/sparse_rows_reference.h"

namespace walsh {
namespace {

struct Tile {
  std::uint32_t rows, columns, first, count;
  double density;
};

std::string text(const Tile& t) {
  return fmt::format("{} x {}, {:.1f} %", t.count, t.columns, 100 * t.density);
}

KernelCase dense_tile(TensorStore& store, const Tile& tile) {
  const auto f =
      std::make_shared<CaseSupport>(store.device(), random_support(tile.rows, tile.columns, tile.density));
  const auto values = normal(f->host.nonzeros(), 1);
  const Tensor w = store.empty({tile.count, tile.columns}), tvalues = store.f32({f->host.nonzeros()}, values);
  const double elements = static_cast<double>(tile.count) * tile.columns;
  return {.op = "sparse_rows_densify",
          .variant = "f32",
          .shape = text(tile),
          .bytes = 4.0 * elements + 10.0 * tile.density * elements,
          .operations = tile.density * elements,
          .record = [=](Recorder& rec) { densify(rec, w, tvalues, f->on_device, tile.first, 0.5f); },
          .compare =
              [=, &store] {
                std::vector<double> expected(std::size_t{tile.count} * tile.columns);
                reference::densify(expected, {values.begin(), values.end()}, f->host, tile.first, 0.5);
                std::vector<double> magnitude(expected.size());
                std::ranges::transform(expected, magnitude.begin(), [](double e) { return std::abs(e); });
                return Comparison{store.read(w), expected, magnitude, 1};
              }};
}

// The kernel adds to what is there: the gradient is cleared first.
KernelCase sampled_tile(TensorStore& store, const Tile& tile) {
  const auto f =
      std::make_shared<CaseSupport>(store.device(), random_support(tile.rows, tile.columns, tile.density));
  const double elements = static_cast<double>(tile.count) * tile.columns;
  const auto g = normal(std::size_t{tile.count} * tile.columns, 2);
  const Tensor dvalues = store.zeros({f->host.nonzeros()}), tg = store.f32({tile.count, tile.columns}, g);
  return {.op = "sparse_rows_sample",
          .variant = "f32",
          .shape = text(tile),
          .bytes = 14.0 * tile.density * elements,
          .operations = 2 * tile.density * elements,
          .record =
              [=](Recorder& rec) {
                rec.clear(dvalues);
                sample(rec, dvalues, tg, f->on_device, tile.first, 0.5f);
              },
          .compare =
              [=, &store] {
                std::vector<double> expected(f->host.nonzeros(), 0.0), magnitude = expected;
                reference::sample(expected, {g.begin(), g.end()}, f->host, tile.first, 0.5);
                reference::sample(magnitude, absolute(g), f->host, tile.first, 0.5);
                return Comparison{store.read(dvalues), expected, magnitude, 1};
              }};
}

std::vector<KernelCase> cases(TensorStore& store, CaseSize size) {
  std::vector<Tile> tiles{{40, 64, 4, 30, 0.2}, {33, 172, 0, 33, 0.1}};
  if (size != CaseSize::check) tiles = {{576, 1536, 0, 576, 0.04}};
  if (size == CaseSize::all) tiles.push_back({4096, 4096, 0, 2048, 0.04});
  std::vector<KernelCase> result;
  for (const Tile& tile : tiles) {
    result.push_back(dense_tile(store, tile));
    result.push_back(sampled_tile(store, tile));
  }
  return result;
}

const CaseRegistration registration("sparse_rows", cases);

}  // namespace
}  // namespace walsh
