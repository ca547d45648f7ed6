#include "ops/sparse_rows.h"

#include "shaders/sparse_rows.h"

namespace walsh {
namespace {

SparseRowsArgs arguments(std::string_view op, const Tensor& tile, const Tensor& values, const SparseTensor& f,
                         std::uint64_t first, float scale) {
  require(static_cast<bool>(tile) && tile.shape.rank() == 2, "{}: the tile is no matrix", op);
  const std::uint64_t rows = tile.shape[0];
  expect(op, "the tile", tile, DType::f32, {rows, f.columns});
  expect(op, "values", values, DType::f32, {f.nonzeros});
  require(first + rows <= f.rows, "{}: rows {} to {} of a matrix of {}", op, first, first + rows, f.rows);
  count32(op, tile.shape.elements());
  return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(rows), f.columns, scale};
}

}  // namespace

void densify(Recorder& rec, const Tensor& w, const Tensor& values, const SparseTensor& f, std::uint64_t first,
             float scale) {
  const SparseRowsArgs args = arguments("densify", w, values, f, first, scale);
  rec.clear(w);
  rec.dispatch("sparse_rows_densify", {w, values, f.row_ptr, f.columns_of}, args, groups_for_rows(args.rows));
}

void sample(Recorder& rec, const Tensor& dvalues, const Tensor& g, const SparseTensor& f, std::uint64_t first,
            float scale) {
  const SparseRowsArgs args = arguments("sample", g, dvalues, f, first, scale);
  rec.dispatch("sparse_rows_sample", {dvalues, g, f.row_ptr, f.columns_of}, args, groups_for_rows(args.rows));
}

}  // namespace walsh
