// The transpose of a row-major matrix, on any element type.
#pragma once

#include <cstddef>
#include <vector>

namespace walsh::reference {

template <typename T>
std::vector<T> transpose(const std::vector<T>& x, std::size_t rows) {
  const std::size_t columns = rows > 0 ? x.size() / rows : 0;
  std::vector<T> y(x.size());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) y[c * rows + r] = x[r * columns + c];
  return y;
}

}  // namespace walsh::reference
