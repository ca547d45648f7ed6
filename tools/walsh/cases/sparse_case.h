// What the cases of the sparse products share: a support drawn at random, on the host and on the device.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "base/philox.h"
#include "tensor/sparse_matrix.h"
#include "tensor/tensor_store.h"

namespace walsh {

/// Each row gets 0.5 to 1.5 times its share of the non-zeros.
inline SparseMatrix random_support(std::uint32_t rows, std::uint32_t columns, double density) {
  Philox random(7);
  SparseMatrix f{rows, columns, {0}, {}};
  for (std::uint32_t i = 0; i < rows; ++i) {
    const double share = density * (0.5 + static_cast<double>(random.uniform()));
    for (std::uint32_t j = 0; j < columns; ++j)
      if (static_cast<double>(random.uniform()) < share)
        f.columns_of.push_back(static_cast<std::uint16_t>(j));
    f.row_ptr.push_back(f.nonzeros());
  }
  return f;
}

struct CaseSupport {
  CaseSupport(vk::Device& device, SparseMatrix matrix)
      : host(std::move(matrix)), on_device(reserve_sparse(arena, host.rows, host.columns, host.nonzeros())) {
    arena.commit(device);
    upload(device, on_device, host);
  }
  vk::Arena arena{"sparse case"};
  SparseMatrix host;
  SparseTensor on_device;
};

inline std::vector<double> absolute(const std::vector<float>& values) {
  std::vector<double> result;
  for (const float value : values) result.push_back(std::abs(static_cast<double>(value)));
  return result;
}

}  // namespace walsh
