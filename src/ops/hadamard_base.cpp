// The base matrices had_K, generated: Paley (J. Math. Phys. 12, 1933) I in skew form and II in symmetric
// form, Williamson (Duke Math. J. 11, 1944) from four symmetric circulants, and Sylvester's doubling.
#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"
#include "ops/hadamard_layout.h"

namespace walsh {
namespace {

struct Williamson {
  std::uint32_t order;
  std::array<std::string_view, 4> first_rows;  // of the circulants A, B, C, D
};

constexpr Williamson williamson_table[] = {
    {52, {"+-+--++++--+-", "+---++++++---", "++-+--++--+-+", "+----+--+----"}},
    {156,
     {"+++--+-+-----+--++----++--+-----+-+--++", "++++---+--++----+-+--+-+----++--+---+++",
      "+++--++-+---+-+--+----+--+-+---+-++--++", "+---++-+-+-----+++-++-+++-----+-+-++---"}},
    {172,
     {"+---++--++++-+-+++-++--++-+++-+-++++--++---", "++-++++++----+-+--++-++-++--+-+----++++++-+",
      "+++-+-++--+-+-++++-+----+-++++-+-+--++-+-++", "++---++++-+--+--++--------++--+--+-++++---+"}},
};

enum class Construction { none, williamson, doubling, paley1, paley2 };

bool is_prime(std::uint32_t q) {
  if (q < 2) return false;
  for (std::uint32_t d = 2; d * d <= q; ++d)
    if (q % d == 0) return false;
  return true;
}

Construction construction_of(std::uint32_t order) {
  if (order == 0 || order % 4 != 0) return Construction::none;
  if (std::ranges::any_of(williamson_table, [order](const auto& w) { return w.order == order; }))
    return Construction::williamson;
  if (order == 40) return Construction::doubling;        // not Paley II: published adapters use it
  if (is_prime(order - 1)) return Construction::paley1;  // order % 4 = 0: order − 1 = 3 mod 4
  if (is_prime(order / 2 - 1) && (order / 2 - 1) % 4 == 1) return Construction::paley2;
  return Construction::none;
}

/// The quadratic character of GF(q), q prime: 0 at 0, +1 on squares, −1 elsewhere.
std::vector<int> quadratic_character(std::uint32_t q) {
  std::vector<int> character(q, -1);
  for (std::uint64_t x = 1; x < q; ++x) character[x * x % q] = 1;
  character[0] = 0;
  return character;
}

/// Fills had_K from a function that gives the sign of each entry.
template <typename Entry>
HadamardBase from_entries(std::uint32_t order, Entry entry) {
  HadamardBase base{order, {}};
  base.signs.assign(std::size_t{order} * base.words_per_row(), 0);
  for (std::uint32_t i = 0; i < order; ++i)
    for (std::uint32_t j = 0; j < order; ++j)
      if (entry(i, j) < 0) base.signs[i * base.words_per_row() + j / 32] |= 1u << (j % 32);
  return base;
}

/// M = I + S, S = [[0, −1ᵀ], [1, χ(i − j)]].
HadamardBase paley1(std::uint32_t order) {
  const std::uint32_t q = order - 1;
  const std::vector<int> character = quadratic_character(q);
  return from_entries(order, [&](std::uint32_t i, std::uint32_t j) {
    if (i == j || j == 0) return 1;
    return i == 0 ? -1 : character[(i + q - j) % q];
  });
}

/// M = [[S+I, S−I], [S−I, −S−I]], S = [[0, 1ᵀ], [1, χ(j − i)]].
HadamardBase paley2(std::uint32_t order) {
  const std::uint32_t half = order / 2;
  const std::uint32_t q = half - 1;
  const std::vector<int> character = quadratic_character(q);
  return from_entries(order, [&](std::uint32_t i, std::uint32_t j) {
    const bool lower = i >= half;
    const bool right = j >= half;
    const std::uint32_t r = i % half;
    const std::uint32_t c = j % half;
    if (r == c) return lower || right ? -1 : 1;
    const int s = r == 0 || c == 0 ? 1 : character[(c + q - r) % q];
    return lower && right ? -s : s;
  });
}

/// M = [[A,B,C,D], [−B,A,−D,C], [−C,D,A,−B], [−D,−C,B,A]], circulants whose row i is the first rotated right
/// by i.
HadamardBase williamson(std::uint32_t order) {
  const Williamson& rows = *std::ranges::find(williamson_table, order, &Williamson::order);
  constexpr int block[4][4] = {{0, 1, 2, 3}, {1, 0, 3, 2}, {2, 3, 0, 1}, {3, 2, 1, 0}};
  constexpr int sign[4][4] = {{1, 1, 1, 1}, {-1, 1, -1, 1}, {-1, 1, 1, -1}, {-1, -1, 1, 1}};
  const std::uint32_t size = order / 4;
  return from_entries(order, [&](std::uint32_t i, std::uint32_t j) {
    const std::uint32_t r = i / size;
    const std::uint32_t c = j / size;
    const char entry = rows.first_rows[block[r][c]][(j % size + size - i % size) % size];
    return entry == '+' ? sign[r][c] : -sign[r][c];
  });
}

/// M = [[1, 1], [1, −1]] ⊗ had_{K/2}.
HadamardBase doubling(std::uint32_t order) {
  const HadamardBase half = hadamard_base(order / 2);
  return from_entries(order, [&](std::uint32_t i, std::uint32_t j) {
    const bool negative = half.negative(i % half.order, j % half.order);
    return negative != (i >= half.order && j >= half.order) ? -1 : 1;
  });
}

}  // namespace

HadamardBase HadamardBase::transposed() const {
  return from_entries(order, [this](std::uint32_t i, std::uint32_t j) { return negative(j, i) ? -1 : 1; });
}

bool has_hadamard_base(std::uint32_t order) { return construction_of(order) != Construction::none; }

HadamardBase hadamard_base(std::uint32_t order) {
  switch (construction_of(order)) {
    case Construction::williamson:
      return williamson(order);
    case Construction::doubling:
      return doubling(order);
    case Construction::paley1:
      return paley1(order);
    case Construction::paley2:
      return paley2(order);
    case Construction::none:
      break;
  }
  refuse("no construction of a Hadamard base of order {} is known here", order);
}

}  // namespace walsh
