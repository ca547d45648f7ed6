#include "ops/hadamard_layout.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/error.h"

namespace walsh {
namespace {

constexpr std::uint32_t largest_order = 1024;

// The bases of published adapters (arXiv 2509.17428), in the order in which they are tried.
constexpr std::uint32_t published_orders[] = {172, 156, 140, 108, 60, 52, 36, 28, 40, 20, 12};

/// The order that serves an odd factor: a published one, else the smallest factor · 2^j that can be built; 0:
/// none.
std::uint32_t order_of_factor(std::uint32_t factor) {
  constexpr std::pair<std::uint32_t, std::uint32_t> published[] = {
      {3, 12}, {5, 20}, {7, 28}, {9, 36}, {13, 52}, {15, 60}, {27, 108}, {35, 140}, {39, 156}, {43, 172}};
  for (const auto& [odd, order] : published)
    if (odd == factor) return order;
  for (std::uint32_t order = 4 * factor; order <= largest_order; order *= 2)
    if (has_hadamard_base(order)) return order;
  return 0;
}

/// Searches the products of bases over every factorisation of the odd part.
class LayoutSearch {
 public:
  explicit LayoutSearch(std::uint32_t n) : n_(n) { factorise(n >> std::countr_zero(n), 3); }

  std::optional<HadamardLayout> best() const { return best_; }

 private:
  // Factors come in ascending order; one beyond largest_order / 4 has no base.
  void factorise(std::uint32_t odd, std::uint32_t least) {
    if (odd == 1) return consider();
    for (std::uint32_t factor = least; factor <= std::min(odd, largest_order / 4); factor += 2) {
      if (odd % factor != 0) continue;
      const std::uint32_t order = order_of_factor(factor);
      if (order == 0) continue;
      orders_.push_back(order);
      factorise(odd / factor, factor);
      orders_.pop_back();
    }
  }

  void consider() {
    HadamardLayout layout{orders_, n_, n_};
    std::ranges::sort(layout.bases, std::greater{});
    for (const std::uint32_t order : layout.bases) {
      if (layout.m2 % order != 0) return;
      layout.m2 /= order;
    }
    if (!best_ || better(layout.bases, best_->bases)) best_ = std::move(layout);
  }

  static bool better(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
    const auto sum = [](const auto& v) { return std::accumulate(v.begin(), v.end(), std::uint32_t{0}); };
    if (sum(a) != sum(b)) return sum(a) < sum(b);
    if (a.size() != b.size()) return a.size() < b.size();
    return a > b;
  }

  std::uint32_t n_;
  std::vector<std::uint32_t> orders_;
  std::optional<HadamardLayout> best_;
};

}  // namespace

std::optional<HadamardLayout> hadamard_layout(std::uint32_t n) {
  if (n == 0) return std::nullopt;
  if (std::has_single_bit(n)) return HadamardLayout{{}, n, n};
  const auto published = std::ranges::find_if(published_orders, [n](std::uint32_t k) { return n % k == 0; });
  if (published != std::end(published_orders) && std::has_single_bit(n / *published))
    return HadamardLayout{{*published}, n / *published, n};
  return LayoutSearch(n).best();
}

HadamardLayout require_hadamard_layout(std::uint32_t n) {
  std::optional<HadamardLayout> layout = hadamard_layout(n);
  require(layout.has_value(),
          "no Hadamard matrix of width {} can be built: a width is a power of two, or a product of powers of "
          "two and "
          "known orders (12, 20, 28, 36, 44, 52, 60, ...); leave these layers out with --targets",
          n);
  return *std::move(layout);
}

Hadamard::Hadamard(HadamardLayout from) : layout(std::move(from)) {
  std::uint64_t product = layout.m2;
  for (const std::uint32_t order : layout.bases) {
    bases.push_back(hadamard_base(order));
    product *= order;
    require(product <= layout.n, "a Hadamard layout of width {} has bases whose product is larger", layout.n);
  }
  require(product == layout.n && std::has_single_bit(layout.m2),
          "a Hadamard layout of width {} has bases and a power of two whose product is {}", layout.n,
          product);
}

}  // namespace walsh
