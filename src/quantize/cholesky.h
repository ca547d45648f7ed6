// The Cholesky factor of a symmetric matrix on all cores: blocks of columns, each factored, then taken from
// what is right of it tile by tile. The result does not depend on the number of threads.
#pragma once

#include <Eigen/Core>

namespace walsh {

/// A = L·Lᵀ: the lower triangle of `a` becomes L, the upper one is not read. False where A is not positive
/// definite; `a` is then spoilt.
bool cholesky_in_place(Eigen::MatrixXd& a);

/// L⁻¹ of a lower triangular L, whose upper triangle is not read; zero above the diagonal.
Eigen::MatrixXd lower_inverse(const Eigen::MatrixXd& lower);

}  // namespace walsh
