// The columns of a row-major matrix in another order, on any element type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace walsh::reference {

template <typename T>
std::vector<T> gather_columns(const std::vector<T>& x, const std::vector<std::uint32_t>& order) {
  const std::size_t columns = order.size();
  std::vector<T> y(x.size());
  for (std::size_t first = 0; first < x.size(); first += columns)
    for (std::size_t j = 0; j < columns; ++j) y[first + j] = x[first + order[j]];
  return y;
}

}  // namespace walsh::reference
