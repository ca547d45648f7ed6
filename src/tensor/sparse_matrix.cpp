#include "tensor/sparse_matrix.h"

#include <algorithm>

#include "base/error.h"

namespace walsh {

void SparseMatrix::check(const std::string& what) const {
  require(
      row_ptr.size() == std::size_t{rows} + 1 && row_ptr.front() == 0 && row_ptr.back() == columns_of.size(),
      "{}: the row pointers do not frame {} non-zeros in {} rows", what, columns_of.size(), rows);
  for (std::uint32_t row = 0; row < rows; ++row) {
    require(row_ptr[row] <= row_ptr[row + 1] && row_ptr[row + 1] <= columns_of.size(),
            "{}: the pointer of row {} is {}, the one before is {}", what, row + 1, row_ptr[row + 1],
            row_ptr[row]);
    for (std::uint32_t l = row_ptr[row]; l < row_ptr[row + 1]; ++l) {
      require(columns_of[l] < columns, "{}: row {} has a column {}, the matrix has {}", what, row,
              columns_of[l], columns);
      require(l == row_ptr[row] || columns_of[l - 1] < columns_of[l],
              "{}: the columns of row {} do not ascend", what, row);
    }
  }
}

SparseTensor reserve_sparse(vk::Arena& arena, std::uint32_t rows, std::uint32_t columns,
                            std::uint32_t nonzeros) {
  require(rows <= 65536 && columns <= 65536, "a sparse matrix of {} x {}, at most 65536 x 65536 is supported",
          rows, columns);
  require(nonzeros > 0 && nonzeros <= std::uint64_t{rows} * columns,
          "{} non-zeros in a sparse matrix of {} x {}", nonzeros, rows, columns);
  SparseTensor f{rows, columns, nonzeros, {}, {}, {}, {}, {}};
  f.row_ptr = reserve(arena, DType::u32, {rows + std::uint64_t{1}});
  f.columns_of = reserve(arena, DType::u16, {nonzeros});
  f.column_ptr = reserve(arena, DType::u32, {columns + std::uint64_t{1}});
  f.rows_of = reserve(arena, DType::u16, {nonzeros});
  f.permutation = reserve(arena, DType::u32, {nonzeros});
  return f;
}

void upload(vk::Device& device, const SparseTensor& to, const SparseMatrix& from) {
  from.check("sparse matrix");
  require(from.rows == to.rows && from.columns == to.columns && from.nonzeros() == to.nonzeros,
          "a sparse matrix of {} x {} with {} non-zeros for a tensor of {} x {} with {}", from.rows,
          from.columns, from.nonzeros(), to.rows, to.columns, to.nonzeros);
  std::vector<std::uint32_t> column_ptr(from.columns + std::size_t{1}, 0);
  for (const std::uint16_t column : from.columns_of) ++column_ptr[column + std::size_t{1}];
  for (std::uint32_t j = 0; j < from.columns; ++j) column_ptr[j + 1] += column_ptr[j];
  std::vector<std::uint32_t> next(column_ptr.begin(), column_ptr.end() - 1), permutation(from.nonzeros());
  std::vector<std::uint16_t> rows_of(from.nonzeros());
  for (std::uint32_t row = 0; row < from.rows; ++row)
    for (std::uint32_t l = from.row_ptr[row]; l < from.row_ptr[row + 1]; ++l) {
      const std::uint32_t k = next[from.columns_of[l]]++;
      rows_of[k] = static_cast<std::uint16_t>(row);
      permutation[k] = l;
    }
  device.upload(to.row_ptr, from.row_ptr);
  device.upload(to.columns_of, from.columns_of);
  device.upload(to.column_ptr, column_ptr);
  device.upload(to.rows_of, rows_of);
  device.upload(to.permutation, permutation);
}

SparseBlocks reserve_blocks(vk::Arena& arena, std::uint32_t rows, std::uint32_t nonzeros) {
  const std::uint64_t blocks = (rows + SparseBlocks::rows - 1) / SparseBlocks::rows;
  return {.block_ptr = reserve(arena, DType::u32, {blocks + 1}),
          .union_of = reserve(arena, DType::u16, {nonzeros})};
}

void upload(vk::Device& device, SparseBlocks& to, const SparseMatrix& from) {
  from.check("sparse matrix");
  std::vector<std::uint32_t> block_ptr{0};
  std::vector<std::uint16_t> union_of;
  to.widest = 0;
  for (std::uint32_t row = 0; row < from.rows; row += SparseBlocks::rows) {
    const std::uint32_t last = std::min(row + SparseBlocks::rows, from.rows);
    const auto begin = static_cast<std::ptrdiff_t>(union_of.size());
    union_of.insert(union_of.end(), from.columns_of.begin() + from.row_ptr[row],
                    from.columns_of.begin() + from.row_ptr[last]);
    std::sort(union_of.begin() + begin, union_of.end());
    union_of.erase(std::unique(union_of.begin() + begin, union_of.end()), union_of.end());
    to.widest = std::max(to.widest, static_cast<std::uint32_t>(union_of.size()) - block_ptr.back());
    block_ptr.push_back(static_cast<std::uint32_t>(union_of.size()));
  }
  union_of.resize(to.union_of.shape.elements());
  device.upload(to.block_ptr, block_ptr);
  device.upload(to.union_of, union_of);
}

}  // namespace walsh
