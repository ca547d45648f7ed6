// The support of a sparse matrix F [rows, columns]: where its non-zeros are. Their values live elsewhere, as
// one flat tensor in row order, because they are what is trained.
//
// On the device a support is kept twice: by rows (CSR, for x·Fᵀ and the sampled product) and by columns (CSC,
// for g·F), the second with the permutation back to the values. Indices of rows and columns have 16 bits, two
// to a word: at 16 bits a coefficient of an 8B model costs 8 bytes of indices, of which 4 are the
// permutation.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"
#include "vk/device.h"

namespace walsh {

struct SparseMatrix {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::vector<std::uint32_t> row_ptr;     // [rows + 1]
  std::vector<std::uint16_t> columns_of;  // [nonzeros], ascending within a row

  std::uint32_t nonzeros() const { return static_cast<std::uint32_t>(columns_of.size()); }

  /// Refuses pointers or columns that are out of order or out of bounds; `what` names the matrix.
  void check(const std::string& what) const;
};

struct SparseTensor {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t nonzeros = 0;
  Tensor row_ptr;      // u32 [rows + 1]
  Tensor columns_of;   // u16 [nonzeros], row order
  Tensor column_ptr;   // u32 [columns + 1]
  Tensor rows_of;      // u16 [nonzeros], column order, ascending within a column
  Tensor permutation;  // u32 [nonzeros]: column order -> row order
};

/// Blocks of 16 rows of F, each with the union of its rows' columns, for products that take a block as a
/// dense matrix.
struct SparseBlocks {
  static constexpr std::uint32_t rows = 16;  // of a block
  Tensor block_ptr;                          // u32 [blocks + 1]: where a block's columns begin
  Tensor union_of;                           // u16, block after block, ascending; no more than non-zeros
  std::uint32_t widest = 0;                  // columns of a block at most; known once they are uploaded
};

/// Room for a support; refuses an empty one and one that 16-bit indices cannot address.
SparseTensor reserve_sparse(vk::Arena& arena, std::uint32_t rows, std::uint32_t columns,
                            std::uint32_t nonzeros);

/// Fills it; after the arena's commit. Checks the matrix and that it fits.
void upload(vk::Device& device, const SparseTensor& to, const SparseMatrix& from);

SparseBlocks reserve_blocks(vk::Arena& arena, std::uint32_t rows, std::uint32_t nonzeros);
void upload(vk::Device& device, SparseBlocks& to, const SparseMatrix& from);

}  // namespace walsh
