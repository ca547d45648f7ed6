#include "ops/embedding.h"

#include "shaders/embedding.h"

namespace walsh {
namespace {

// Parts begin at a multiple of this many rows, so that they are aligned for every width and element type.
constexpr std::uint64_t part_rows = 128;

/// Calls `use(part of the table, arguments)` for parts that fit a binding.
template <typename Use>
void for_parts(std::string_view op, Recorder& rec, const Tensor& table, std::uint64_t tokens, Use&& use) {
  const std::uint64_t rows = table.shape[0], width = table.shape[1];
  const std::uint64_t row_bytes = width * size_of(table.dtype);
  const std::uint64_t range = rec.device().info().limits.max_storage_range;
  std::uint64_t most = rows;
  if (rows * row_bytes > range) {
    most = range / row_bytes / part_rows * part_rows;
    require(most > 0, "{}: {} rows of {} bytes do not fit a binding of {} bytes", op, part_rows, row_bytes,
            range);
  }
  for (std::uint64_t first = 0; first < rows; first += most) {
    const std::uint64_t count = std::min(most, rows - first);
    count32(op, count * width);
    use(first == 0 && count == rows ? table : table.rows(first, count),
        EmbeddingArgs{count32(op, tokens), count32(op, width), count32(op, rows), count32(op, first),
                      count32(op, count)});
  }
}

}  // namespace

void embedding_forward(Recorder& rec, const Tensor& y, const Tensor& ids, const Tensor& w) {
  const char* op = "embedding_forward";
  require(ids.shape.rank() == 1, "{}: ids has shape {}, expected [T]", op, ids.shape.text());
  require(w.shape.rank() == 2, "{}: w has shape {}, expected [V, C]", op, w.shape.text());
  require(w.dtype == DType::f32 || w.dtype == DType::f16 || w.dtype == DType::bf16,
          "{}: w is {}, expected f32, f16 or bf16", op, name_of(w.dtype));
  expect(op, "ids", ids, DType::u32, ids.shape);
  expect(op, "y", y, DType::f32, {ids.shape[0], w.shape[1]});
  expect(op, "w", w, w.dtype, w.shape);
  count32(op, y.shape.elements());
  const std::string module = fmt::format("embedding_forward.{}", name_of(w.dtype));
  for_parts(op, rec, w, ids.shape[0], [&](const Tensor& part, const EmbeddingArgs& args) {
    rec.dispatch(module, {y, ids, part}, args, groups_for_elements(y.shape.elements()));
  });
}

void embedding_backward(Recorder& rec, const Tensor& dw, const Tensor& dy, const Tensor& ids) {
  const char* op = "embedding_backward";
  require(ids.shape.rank() == 1, "{}: ids has shape {}, expected [T]", op, ids.shape.text());
  require(dw.shape.rank() == 2, "{}: dw has shape {}, expected [V, C]", op, dw.shape.text());
  expect(op, "ids", ids, DType::u32, ids.shape);
  expect(op, "dw", dw, DType::f32, dw.shape);
  expect(op, "dy", dy, DType::f32, {ids.shape[0], dw.shape[1]});
  count32(op, dy.shape.elements());
  for_parts(op, rec, dw, ids.shape[0], [&](const Tensor& part, const EmbeddingArgs& args) {
    rec.dispatch("embedding_backward", {part, dy, ids}, args, groups_for_rows(ids.shape[0]));
  });
}

}  // namespace walsh
