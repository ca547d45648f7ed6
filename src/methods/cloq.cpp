#include "methods/cloq.h"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>

#include "methods/quantization_error.h"

namespace walsh {
namespace {

using Matrix = Eigen::MatrixXd;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

CloqStart cloq(const ProjectionStart& p, std::uint32_t rank) {
  const Eigen::Index m = p.rows, n = p.columns;
  const std::vector<float> error = quantization_error(p);
  const Matrix delta =
      Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(error.data(), m,
                                                                                              n)
          .cast<double>();
  const Eigen::Map<const RowMatrix> gram(p.gram.data(), n, n);
  // With more outputs than inputs ΔW = Q·R, and the eigenvectors are Q times those of R·G·Rᵀ [n, n].
  Matrix core = delta, basis;
  if (m > n) {
    const Eigen::HouseholderQR<Matrix> qr(delta);
    core = qr.matrixQR().topRows(n).triangularView<Eigen::Upper>();
    basis = qr.householderQ() * Matrix::Identity(m, n);
  }
  const Matrix product = core * gram * core.transpose();
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(0.5 * (product + product.transpose()));

  CloqStart start;
  start.a.assign(std::size_t{rank} * p.columns, 0.0f);
  start.b_transposed.assign(std::size_t{rank} * p.rows, 0.0f);
  start.error_before = start.error = std::max(0.0, product.trace());
  const Eigen::Index size = core.rows();
  for (Eigen::Index k = 0; k < std::min<Eigen::Index>(rank, size); ++k) {
    const Eigen::Index column = size - 1 - k;  // eigenvalues ascend
    const Eigen::VectorXd in_core = solver.eigenvectors().col(column);
    const Eigen::VectorXd u = m > n ? Eigen::VectorXd(basis * in_core) : in_core;
    const Eigen::VectorXd a = delta.transpose() * u;
    const double norm = a.norm();
    if (!(norm > 0)) continue;
    start.error = std::max(0.0, start.error - solver.eigenvalues()[column]);
    const double root = std::sqrt(norm);  // ‖u‖ = 1: both get half of the logarithm
    for (Eigen::Index j = 0; j < n; ++j)
      start.a[static_cast<std::size_t>(k * n + j)] = static_cast<float>(a[j] / root);
    for (Eigen::Index i = 0; i < m; ++i)
      start.b_transposed[static_cast<std::size_t>(k * m + i)] = static_cast<float>(u[i] * root);
  }
  return start;
}

}  // namespace walsh
