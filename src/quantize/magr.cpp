#include "quantize/magr.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "base/philox.h"

namespace walsh {
namespace {

template <typename T>
using RowMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t block_rows = 64;

}  // namespace

template <typename T>
void prox_largest(std::span<T> v, T alpha) {
  T largest = 0;
  T sum = 0;
  for (const T value : v) {
    largest = std::max(largest, std::abs(value));
    sum += std::abs(value);
  }
  if (sum <= alpha) {
    std::ranges::fill(v, T{0});
    return;
  }
  // Σ max(|v| − t, 0) is convex and falls with t: Newton's steps from below the solution stay below it, and
  // end when the set of entries above t does not change.
  T t = std::max(T{0}, largest - alpha);
  for (std::size_t above = 0;;) {
    std::size_t count = 0;
    T total = 0;
    for (const T value : v)
      if (std::abs(value) > t) {
        ++count;
        total += std::abs(value);
      }
    if (count == above || count == 0) break;
    above = count;
    t = std::max(t, (total - alpha) / static_cast<T>(count));
  }
  for (T& value : v) value = std::clamp(value, -t, t);
}

template <typename T>
T largest_eigenvalue(std::span<const T> matrix, std::uint32_t n) {
  using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  const Eigen::Map<const RowMatrix<T>> g(matrix.data(), n, n);
  Philox random(0);
  Vector v(n);
  for (Eigen::Index i = 0; i < v.size(); ++i) v[i] = static_cast<T>(random.normal());
  v.normalize();
  T value = 0;
  for (int i = 0; i < 1000; ++i) {
    const Vector image = g * v;
    const T next = v.dot(image);
    const T length = image.norm();
    if (!(length > 0)) return 0;
    v = image / length;
    const bool settled = std::abs(next - value) <= 4 * std::numeric_limits<T>::epsilon() * next;
    value = next;
    if (settled) break;
  }
  return value;
}

template <typename T>
std::vector<T> magr(std::span<const T> weights, std::span<const T> gram, std::uint32_t rows,
                    std::uint32_t columns, std::uint32_t group_size, T alpha, int iterations, bool momentum) {
  const std::size_t n = columns;
  std::vector<T> result(weights.begin(), weights.end());
  const T scale = largest_eigenvalue(gram, columns);
  if (!(scale > 0)) return result;
  const Eigen::Map<const RowMatrix<T>> g(gram.data(), columns, columns);
  parallel_for((rows + block_rows - 1) / block_rows, [&](std::size_t block) {
    const std::size_t first = block * block_rows;
    const auto count = static_cast<Eigen::Index>(std::min<std::size_t>(block_rows, rows - first));
    const Eigen::Map<const RowMatrix<T>> w(weights.data() + first * n, count, columns);
    Eigen::Map<RowMatrix<T>> v(result.data() + first * n, count, columns);
    RowMatrix<T> step(count, columns), start = v, last;
    double pace = 1;
    for (int i = 0; i < iterations; ++i) {
      step.noalias() = (start - w) * g;
      last = v;
      v = start - step / scale;
      for (T* group = v.data(); group != v.data() + v.size(); group += group_size)
        prox_largest(std::span(group, group_size), alpha);
      const double next = (1 + std::sqrt(1 + 4 * pace * pace)) / 2;
      start = v;
      if (momentum) start += static_cast<T>((pace - 1) / next) * (v - last);
      pace = next;
    }
  });
  return result;
}

#define WALSH_MAGR(T)                                                                                \
  template void prox_largest(std::span<T>, T);                                                       \
  template T largest_eigenvalue(std::span<const T>, std::uint32_t);                                  \
  template std::vector<T> magr(std::span<const T>, std::span<const T>, std::uint32_t, std::uint32_t, \
                               std::uint32_t, T, int, bool);
WALSH_MAGR(float)
WALSH_MAGR(double)
#undef WALSH_MAGR

}  // namespace walsh
