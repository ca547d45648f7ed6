#include "ops/hadamard_reference.h"

#include <gtest/gtest.h>

#include <bit>
#include <complex>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/philox.h"

namespace walsh {
namespace {

/// Every order up to 1024 that has a construction.
std::vector<std::uint32_t> all_orders() {
  std::vector<std::uint32_t> orders;
  for (std::uint32_t order = 1; order <= 1024; ++order)
    if (has_hadamard_base(order)) orders.push_back(order);
  return orders;
}

int sign(bool negative) { return negative ? -1 : 1; }

/// H_r entry by entry from its definition had_K1ᵀ ⊗ had_K2ᵀ ⊗ … ⊗ H_m2.
std::vector<int> dense(const Hadamard& h) {
  const std::uint32_t n = h.layout.n;
  std::vector<int> matrix(std::size_t{n} * n);
  for (std::uint32_t i = 0; i < n; ++i)
    for (std::uint32_t j = 0; j < n; ++j) {
      std::uint32_t row = i / h.layout.m2;
      std::uint32_t column = j / h.layout.m2;
      int entry = std::popcount((i % h.layout.m2) & (j % h.layout.m2)) % 2 ? -1 : 1;
      for (std::size_t b = h.bases.size(); b-- > 0;) {  // innermost base first
        const std::uint32_t order = h.bases[b].order;
        entry *= sign(h.bases[b].negative(column % order, row % order));
        row /= order;
        column /= order;
      }
      matrix[std::size_t{i} * n + j] = entry;
    }
  return matrix;
}

template <typename T>
std::vector<T> random_rows(std::size_t count, std::uint64_t seed) {
  Philox random(seed);
  std::vector<T> x(count);
  for (T& value : x) value = T(static_cast<int>(random.below(21)) - 10);
  return x;
}

TEST(HadamardBase, RowsAreOrthogonalForEveryOrder) {
  const std::vector<std::uint32_t> orders = all_orders();
  ASSERT_GT(orders.size(), 100u);
  for (const std::uint32_t order : orders) {
    const HadamardBase base = hadamard_base(order);
    const std::uint32_t words = base.words_per_row();
    for (std::uint32_t i = 0; i < order; ++i)
      for (std::uint32_t j = i; j < order; j += order <= 400 ? 1 : 13) {  // of the large ones, some pairs
        std::uint32_t different = 0;
        for (std::uint32_t w = 0; w < words; ++w)
          different += std::popcount(base.signs[i * words + w] ^ base.signs[j * words + w]);
        ASSERT_EQ(different, i == j ? 0 : order / 2) << "order " << order << ", rows " << i << ", " << j;
      }
  }
}

TEST(HadamardBase, TransposedTwiceIsItself) {
  const HadamardBase base = hadamard_base(44);
  EXPECT_NE(base.transposed().signs, base.signs);
  EXPECT_EQ(base.transposed().transposed().signs, base.signs);
}

TEST(HadamardBase, OrdersWithoutConstructionAreRefused) {
  for (const std::uint32_t order : {0u, 1u, 2u, 6u, 92u, 1022u})
    EXPECT_THROW(hadamard_base(order), Error) << order;
}

TEST(HadamardLayout, ProductIsTheWidth) {
  int covered = 0;
  for (std::uint32_t n = 1; n <= 8192; ++n) {
    const auto layout = hadamard_layout(n);
    if (!layout) continue;
    ++covered;
    std::uint64_t product = layout->m2;
    for (const std::uint32_t order : layout->bases) product *= order;
    ASSERT_EQ(product, n);
    ASSERT_TRUE(std::is_sorted(layout->bases.rbegin(), layout->bases.rend()));
    ASSERT_TRUE(n <= 2 || n % 4 == 0);
  }
  EXPECT_GT(covered, 500);
}

TEST(HadamardLayout, WidthsWithoutConstructionAreRefusedInOneLine) {
  // The last ones are hostile: large primes and odd numbers must answer at once.
  for (const std::uint32_t n : {0u, 3u, 6u, 100u, 4294967291u, 4294967295u, 4u * 1073741789u}) {
    EXPECT_FALSE(hadamard_layout(n).has_value()) << n;
    try {
      require_hadamard_layout(n);
      FAIL() << n;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(std::to_string(n)), std::string::npos);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
}

TEST(HadamardLayout, ARecordedLayoutThatDoesNotFillTheWidthIsRefused) {
  EXPECT_NO_THROW(Hadamard(HadamardLayout{{12}, 2, 24}));
  EXPECT_THROW(Hadamard(HadamardLayout{{12}, 4, 24}), Error);
  EXPECT_THROW(Hadamard(HadamardLayout{{12}, 3, 36}), Error);
  EXPECT_THROW(Hadamard(HadamardLayout{{16}, 2, 32}), Error);
  EXPECT_THROW(Hadamard(HadamardLayout{{172, 172, 172, 172, 172}, 1, 172}), Error);
}

TEST(HadamardReference, EqualsTheDenseMatrix) {
  for (const std::uint32_t n : {1u, 2u, 8u, 12u, 24u, 40u, 88u, 336u, 400u, 1152u}) {
    const Hadamard h(n);
    const std::vector<int> matrix = dense(h);
    const std::vector<std::int64_t> x = random_rows<std::int64_t>(3 * n, n);
    std::vector<std::int64_t> forward = x;
    std::vector<std::int64_t> backward = x;
    reference::wht(h, forward.data(), 3);
    reference::wht_t(h, backward.data(), 3);
    for (std::size_t row = 0; row < 3; ++row)
      for (std::size_t j = 0; j < n; ++j) {
        std::int64_t by_rows = 0;
        std::int64_t by_columns = 0;
        for (std::size_t i = 0; i < n; ++i) {
          by_rows += x[row * n + i] * matrix[i * n + j];
          by_columns += x[row * n + i] * matrix[j * n + i];
        }
        ASSERT_EQ(forward[row * n + j], by_rows) << n;
        ASSERT_EQ(backward[row * n + j], by_columns) << n;
      }
  }
}

TEST(HadamardReference, TransposeUndoesTheTransformTimesN) {
  for (const std::uint32_t n : {576u, 1536u, 3072u, 5760u, 29568u}) {
    const Hadamard h(n);
    const std::vector<std::int64_t> x = random_rows<std::int64_t>(n, n);
    std::vector<std::int64_t> y = x;
    reference::wht(h, y.data(), 1);
    reference::wht_t(h, y.data(), 1);
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(y[i], std::int64_t{n} * x[i]);
  }
}

TEST(HadamardReference, IsTheAdjointOfItsTranspose) {  // ⟨x·H_r, y⟩ = ⟨x, y·H_rᵀ⟩
  const Hadamard h(168);
  const auto x = random_rows<std::int64_t>(168, 1);
  const auto y = random_rows<std::int64_t>(168, 2);
  auto xh = x;
  auto yh = y;
  reference::wht(h, xh.data(), 1);
  reference::wht_t(h, yh.data(), 1);
  std::int64_t left = 0;
  std::int64_t right = 0;
  for (std::size_t i = 0; i < 168; ++i) {
    left += xh[i] * y[i];
    right += x[i] * yh[i];
  }
  EXPECT_EQ(left, right);
}

TEST(HadamardReference, ScalesAndTakesComplexNumbers) {
  const Hadamard h(24);
  const auto x = random_rows<double>(24, 3);
  std::vector<std::complex<double>> z(24);
  for (std::size_t i = 0; i < 24; ++i) z[i] = {x[i], 1e-50 * x[23 - i]};
  std::vector<double> plain = x;
  reference::wht(h, plain.data(), 1, 0.25);
  reference::wht(h, z.data(), 1, {0.25, 0.0});
  std::vector<double> mirrored(x.rbegin(), x.rend());
  reference::wht(h, mirrored.data(), 1, 0.25);
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(z[i].real(), plain[i]);
    EXPECT_NEAR(z[i].imag() * 1e50, mirrored[i], 1e-12);
  }
}

}  // namespace
}  // namespace walsh
