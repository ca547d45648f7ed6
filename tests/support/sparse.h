// Sparse matrices for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/philox.h"
#include "tensor/sparse_matrix.h"
#include "tests/support/gpu.h"

namespace walsh::test {

/// Rows with 0 to `most` non-zeros in turn, but the last one, which is full: irregular on purpose.
inline SparseMatrix irregular_support(std::uint32_t rows, std::uint32_t columns, std::uint32_t most,
                                      std::uint64_t seed) {
  Philox random(seed);
  SparseMatrix f{rows, columns, {0}, {}};
  for (std::uint32_t i = 0; i < rows; ++i) {
    const std::uint32_t wanted = i + 1 == rows ? columns : std::min(columns, i % (most + 1));
    std::vector<bool> taken(columns, wanted == columns);
    for (std::uint32_t left = wanted == columns ? 0 : wanted; left > 0;) {
      const std::uint32_t j = random.below(columns);
      if (taken[j]) continue;
      taken[j] = true;
      --left;
    }
    for (std::uint32_t j = 0; j < columns; ++j)
      if (taken[j]) f.columns_of.push_back(static_cast<std::uint16_t>(j));
    f.row_ptr.push_back(f.nonzeros());
  }
  return f;
}

/// A support on the device.
class DeviceSupport {
 public:
  explicit DeviceSupport(const SparseMatrix& f)
      : tensor_(reserve_sparse(arena_, f.rows, f.columns, f.nonzeros())) {
    arena_.commit(device());
    upload(device(), tensor_, f);
  }
  operator const SparseTensor&() const { return tensor_; }

 private:
  vk::Arena arena_{"sparse test"};
  SparseTensor tensor_;
};

}  // namespace walsh::test
