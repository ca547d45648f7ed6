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

/// What all rows share.
struct Problem {
  const QwhaSpectra& spectra;
  Eigen::Map<const RowMatrix> gram;  // undamped
  double damping;                    // added to its diagonal
  RowMatrix images;                  // (G·B)ᵀ, a row for each column of F
  const Hadamard* hadamard;          // null: no transform
};

/// The codes of one row, [n] by inputs.
class Row {
 public:
  Row(const Problem& problem, std::size_t row, std::span<const std::uint16_t> places)
      : p_(problem),
        n_(problem.gram.cols()),
        directions_(room_for_directions(places.size() * static_cast<std::size_t>(n_)),
                    static_cast<Index>(places.size()), n_) {
    const Index k = directions_.rows();
    MatrixXd gram(k, k);
    VectorXd target(k);
    const Eigen::Map<const RowMatrix> transformed(p_.spectra.gram.data(), n_, n_);
    for (Index a = 0; a < k; ++a) {
      const Index place = places[static_cast<std::size_t>(a)];
      for (Index b = 0; b < k; ++b) gram(b, a) = transformed(places[static_cast<std::size_t>(b)], place);
      target[a] = p_.spectra.target[row * static_cast<std::size_t>(n_) + static_cast<std::size_t>(place)];
      directions_.row(a) = p_.images.row(place);
    }
    gram.diagonal().array() += ridge * transformed.diagonal().mean();
    const Eigen::LLT<MatrixXd> factor(gram);
    usable_ = factor.info() == Eigen::Success;
    if (!usable_) return;
    factor.matrixL().solveInPlace(directions_);
    factor.matrixL().solveInPlace(target);
    // e·G from T = e·G·B, less what the adapter takes back.
    const double* t = p_.spectra.target.data() + row * static_cast<std::size_t>(n_);
    gradient_ = Eigen::Map<const VectorXd>(t, n_);
    if (p_.hadamard) reference::wht_t(*p_.hadamard, gradient_.data(), 1);
    gradient_ -= directions_.transpose() * target;
    energy_ = p_.gram.diagonal().array() + p_.damping;
    left_ = (energy_.transpose() - directions_.colwise().squaredNorm())
                .cwiseMax(least_energy * energy_.transpose());
  }

  bool usable() const { return usable_; }

  /// The change of weight j that lowers the error most.
  double step(Index j) const { return gradient_[j] / left_[j]; }

  /// The weight j of the base has grown by `change`.
  void changed(Index j, double change) {
    gradient_ -= change * p_.gram.row(j).transpose();
    gradient_[j] -= change * p_.damping;
    gradient_ += directions_.transpose() * (change * directions_.col(j));
  }

 private:
  const Problem& p_;
  Index n_;
  Eigen::Map<RowMatrix> directions_;  // V [k, n]
  VectorXd gradient_;                 // e·G_i
  VectorXd energy_, left_;            // the diagonals of G and, at least, G_i
  bool usable_ = false;
};

void recode_row(QuantizedMatrix& base, Row& row, std::uint32_t i, std::uint32_t sweeps) {
  const std::size_t words = words_per_row(base.columns, base.bits);
  const std::span<std::uint32_t> stored(base.codes.data() + i * words, words);
  std::vector<std::uint8_t> codes(base.columns);
  unpack_codes(stored, base.bits, codes);
  const double highest = (1u << base.bits) - 1;
  for (std::uint32_t sweep = 0; sweep < sweeps; ++sweep) {
    bool any = false;
    for (std::uint32_t j = 0; j < base.columns; ++j) {
      const std::uint32_t at = base.stored_column(j);
      const double scale = base.scale(i, at / base.group_size);
      const double code = std::clamp(codes[at] + std::nearbyint(row.step(j) / scale), 0.0, highest);
      const double change = scale * (code - codes[at]);
      if (!(change != 0)) continue;
      row.changed(j, change);
      codes[at] = static_cast<std::uint8_t>(code);
      any = true;
    }
    if (!any) break;
  }
  pack_codes(codes, base.bits, stored);
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
  parallel_for(base.rows, [&](std::size_t i) {
    const std::uint32_t first = places.row_ptr[i];
    Row row(problem, i, std::span(places.col).subspan(first, places.row_ptr[i + 1] - first));
    if (row.usable()) recode_row(base, row, static_cast<std::uint32_t>(i), sweeps);
  });
}

}  // namespace walsh
