// How a width n becomes a Hadamard matrix, and the base matrices it is made of.
//   H_r = had_K1ᵀ ⊗ had_K2ᵀ ⊗ … ⊗ H_m2   [n,n], entries ±1, H_r·H_rᵀ = n·I,  n = K1·K2·…·m2
// H_m2 is the Sylvester matrix in natural order, entry (−1)^popcount(i & j). The bases stand outermost first.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace walsh {

struct HadamardLayout {
  std::vector<std::uint32_t> bases;  // orders of the base matrices, descending, the largest outermost
  std::uint32_t m2 = 1;              // a power of two
  std::uint32_t n = 1;

  bool operator==(const HadamardLayout&) const = default;
};

/// The layout of a width, or nothing where no construction covers it. Widths that one of the eleven published
/// bases covers get that base, so that column indices mean the same as in published adapters; the others get
/// the product of bases with the smallest sum of orders (the fewest additions), then the fewest, then the
/// largest.
std::optional<HadamardLayout> hadamard_layout(std::uint32_t n);

/// The same; refuses a width that has none.
HadamardLayout require_hadamard_layout(std::uint32_t n);

/// A base matrix had_K as sign masks: bit j % 32 of word j / 32 of row i is set where entry (i,j) is −1.
struct HadamardBase {
  std::uint32_t order = 0;
  std::vector<std::uint32_t> signs;  // [order, words_per_row()]

  std::uint32_t words_per_row() const { return (order + 31) / 32; }
  bool negative(std::uint32_t row, std::uint32_t column) const {
    return (signs[row * words_per_row() + column / 32] >> (column % 32)) & 1u;
  }
  HadamardBase transposed() const;
};

/// Whether hadamard_base(order) exists.
bool has_hadamard_base(std::uint32_t order);

/// had_K by its construction: Williamson (52, 156, 172), doubling (40), Paley I or Paley II.
HadamardBase hadamard_base(std::uint32_t order);

/// A layout with its base matrices: what a transform needs.
struct Hadamard {
  explicit Hadamard(std::uint32_t n) : Hadamard(require_hadamard_layout(n)) {}
  explicit Hadamard(HadamardLayout from);

  HadamardLayout layout;
  std::vector<HadamardBase> bases;  // as layout.bases
};

}  // namespace walsh
