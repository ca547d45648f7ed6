#include "methods/qwha_recode.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "methods/qwha_pursuit.h"
#include "ops/hadamard_reference.h"
#include "tensor/packing.h"

namespace walsh {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr double ridge = 1e-12;  // of Ĝ's mean diagonal: places that depend on one another
// Of G_jj. A column that the adapter can almost produce by itself would let its code wander for nothing.
constexpr double least_energy = 1e-3;

constexpr Index block = 128;                   // columns whose changes reach the others together
constexpr std::size_t most_rows = 32;          // that share a block of G while it is in the cache
constexpr std::size_t most_values = 1u << 25;  // of the directions of such rows, a quarter of a GiB

/// What all rows share.
struct Problem {
  const QwhaSpectra& spectra;
  Eigen::Map<const RowMatrix> gram;  // undamped
  double damping;                    // added to its diagonal
  RowMatrix images;                  // (G·B)ᵀ, a row for each column of F
  const Hadamard* hadamard;          // null: no transform
};

/// One row: e·G_i = e·G − uᵀ·V, where u is what the adapter takes back.
class Row {
 public:
  /// `room`: for k·n values.
  Row(const Problem& problem, std::size_t row, std::span<const std::uint16_t> places, double* room)
      : p_(problem), directions_(room, static_cast<Index>(places.size()), problem.gram.cols()) {
    const Index k = directions_.rows(), n = directions_.cols();
    MatrixXd gram(k, k);
    taken_.resize(k);
    const Eigen::Map<const RowMatrix> transformed(p_.spectra.gram.data(), n, n);
    for (Index a = 0; a < k; ++a) {
      const Index place = places[static_cast<std::size_t>(a)];
      for (Index b = 0; b < k; ++b) gram(b, a) = transformed(places[static_cast<std::size_t>(b)], place);
      taken_[a] = p_.spectra.target[row * static_cast<std::size_t>(n) + static_cast<std::size_t>(place)];
      directions_.row(a) = p_.images.row(place);
    }
    gram.diagonal().array() += ridge * transformed.diagonal().mean();
    const Eigen::LLT<MatrixXd> factor(gram);
    usable_ = factor.info() == Eigen::Success;
    if (!usable_) return;
    factor.matrixL().solveInPlace(directions_);
    factor.matrixL().solveInPlace(taken_);
    const VectorXd energy = p_.gram.diagonal().array() + p_.damping;
    left_ = (energy.transpose() - directions_.colwise().squaredNorm())
                .cwiseMax(least_energy * energy.transpose());
  }

  /// Chooses the codes [n], as stored, of the columns from `first` on anew; `gradient` is e·G there.
  /// `changes` gets what the weights grow by; returns whether any does.
  bool sweep(const QuantizedMatrix& base, std::uint32_t row, std::span<std::uint8_t> codes, Index first,
             Eigen::RowVectorXd gradient, Eigen::Ref<Eigen::RowVectorXd> changes) {
    changes.setZero();
    if (!usable_) return false;
    const Index width = gradient.size();
    const auto directions = directions_.middleCols(first, width);
    for (Index a = 0; a < directions.rows(); ++a) gradient -= taken_[a] * directions.row(a);
    const double highest = (1u << base.bits) - 1;
    bool any = false;
    for (Index j = 0; j < width; ++j) {
      if (!(left_[first + j] > 0)) continue;  // an input that is always 0, without damping: any code will do
      const std::uint32_t at = base.stored_column(static_cast<std::uint32_t>(first + j));
      const double scale = base.scale(row, at / base.group_size);
      const double step = std::nearbyint(gradient[j] / left_[first + j] / scale);
      const double code = std::clamp(codes[at] + step, 0.0, highest), change = scale * (code - codes[at]);
      if (!(change != 0)) continue;
      codes[at] = static_cast<std::uint8_t>(code);
      changes[j] = change;
      any = true;
      gradient -= change * p_.gram.row(first + j).segment(first, width);
      gradient[j] -= change * p_.damping;
      for (Index a = 0; a < directions.rows(); ++a) {
        const double part = change * directions(a, j);
        taken_[a] -= part;
        gradient += part * directions.row(a);
      }
    }
    return any;
  }

 private:
  const Problem& p_;
  Eigen::Map<RowMatrix> directions_;  // V [k, n]
  VectorXd taken_;                    // u [k]
  VectorXd left_;                     // the diagonal of G_i, or the least that it counts as
  bool usable_ = false;
};

/// Some neighbouring rows.
void recode_rows(QuantizedMatrix& base, const Problem& problem, const QwhaCoefficients& places,
                 std::uint32_t first, std::uint32_t count, std::uint32_t sweeps) {
  const Index n = base.columns;
  const std::size_t words = words_per_row(base.columns, base.bits);
  double* room =
      room_for_directions(std::size_t{places.row_ptr[first + count] - places.row_ptr[first]} * base.columns);
  std::vector<Row> rows;
  rows.reserve(count);
  std::vector<std::vector<std::uint8_t>> codes(count, std::vector<std::uint8_t>(base.columns));
  // e·G from T = e·G·B.
  RowMatrix gradient = Eigen::Map<const RowMatrix>(
      problem.spectra.target.data() + std::size_t{first} * base.columns, count, n);
  if (problem.hadamard) reference::wht_t(*problem.hadamard, gradient.data(), count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t begin = places.row_ptr[first + i], end = places.row_ptr[first + i + 1];
    rows.emplace_back(problem, first + i, std::span(places.col).subspan(begin, end - begin), room);
    room += std::size_t{end - begin} * base.columns;
    unpack_codes(std::span(base.codes).subspan((first + i) * words, words), base.bits, codes[i]);
  }
  for (std::uint32_t sweep = 0; sweep < sweeps; ++sweep) {
    bool any = false;
    for (Index column = 0; column < n; column += block) {
      const Index width = std::min(block, n - column);
      RowMatrix changes(count, width);
      bool any_here = false;
      for (std::uint32_t i = 0; i < count; ++i)
        any_here |= rows[i].sweep(base, first + i, codes[i], column, gradient.row(i).segment(column, width),
                                  changes.row(i));
      if (!any_here) continue;
      any = true;
      gradient.noalias() -= changes * problem.gram.middleRows(column, width);
      gradient.middleCols(column, width) -= problem.damping * changes;
    }
    if (!any) break;
  }
  for (std::uint32_t i = 0; i < count; ++i)
    pack_codes(codes[i], base.bits, std::span(base.codes).subspan((first + i) * words, words));
}

}  // namespace

void qwha_recode(QuantizedMatrix& base, const QwhaSpectra& spectra, std::span<const double> gram,
                 const QwhaCoefficients& places, const QwhaOptions& options, std::uint32_t sweeps) {
  const Index n = base.columns;
  require(spectra.rows == base.rows && spectra.columns == base.columns && places.rows == base.rows &&
              places.columns == base.columns && gram.size() == std::size_t{base.columns} * base.columns,
          "codes of {} x {} to choose anew, with spectra of {} x {}", base.rows, base.columns, spectra.rows,
          spectra.columns);
  const Eigen::Map<const RowMatrix> g(gram.data(), n, n);
  Problem problem{spectra, g, options.damping * g.diagonal().mean(),
                  Eigen::Map<const RowMatrix>(spectra.gram.data(), n, n), nullptr};
  std::optional<Hadamard> hadamard;
  if (options.hadamard) {
    problem.hadamard = &hadamard.emplace(base.columns);
    parallel_for(base.columns, [&](std::size_t j) {
      reference::wht_t(*hadamard, problem.images.data() + j * base.columns, 1);
    });
  }
  std::size_t most_places = 1;
  for (std::uint32_t i = 0; i < base.rows; ++i)
    most_places = std::max<std::size_t>(most_places, places.row_ptr[i + 1] - places.row_ptr[i]);
  const std::size_t together =
      std::clamp<std::size_t>(most_values / (most_places * base.columns), 1, most_rows);
  parallel_for((base.rows + together - 1) / together, [&](std::size_t batch) {
    const std::size_t first = batch * together;
    recode_rows(base, problem, places, static_cast<std::uint32_t>(first),
                static_cast<std::uint32_t>(std::min(together, base.rows - first)), sweeps);
  });
}

}  // namespace walsh
