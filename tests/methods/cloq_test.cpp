// CLoQ's start against its definition (arXiv 2501.18475): the singular value decomposition of ΔW·G^{1/2}.
#include "methods/cloq.h"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <Eigen/SVD>

#include "ops/quant_matmul_reference.h"
#include "tensor/tensor_store.h"

namespace walsh {
namespace {

using Matrix = Eigen::MatrixXd;

struct Layer {
  std::uint32_t m, n;
  QuantizedMatrix base;
  std::vector<float> original;
  std::vector<double> gram;

  Layer(std::uint32_t rows, std::uint32_t columns)
      : m(rows),
        n(columns),
        base(reference::random_quantized(rows, columns, 2, 4, 1)),
        original(normal(std::size_t{rows} * columns, 2)),
        gram(std::size_t{columns} * columns) {
    const std::vector<float> inputs = normal(std::size_t{40} * n, 3);
    const Matrix x = Eigen::Map<const Eigen::MatrixXf>(inputs.data(), 40, n).cast<double>();
    Eigen::Map<Matrix>(gram.data(), n, n) = x.transpose() * x;
  }
  ProjectionStart start() const {
    return {.name = "layer", .rows = m, .columns = n, .base = &base, .original = original, .gram = gram};
  }
  Matrix delta() const {
    Matrix d(m, n);
    for (std::uint32_t i = 0; i < m; ++i) {
      for (std::uint32_t j = 0; j < n; ++j)
        d(i, j) = double{original[std::size_t{i} * n + j]} - double{base.weight(i, j)};
    }
    return d;
  }
};

TEST(Cloq, IsTheBestApproximationOfTheOutputError) {
  for (const auto& [m, n] : {std::pair{12u, 20u}, std::pair{28u, 16u}, std::pair{16u, 16u}}) {
    const Layer layer(m, n);
    constexpr std::uint32_t rank = 3;
    const CloqStart start = cloq(layer.start(), rank);
    // B·A
    Matrix product = Matrix::Zero(m, n);
    for (std::uint32_t k = 0; k < rank; ++k) {
      double a_norm = 0, b_norm = 0;
      for (std::uint32_t j = 0; j < n; ++j) a_norm += std::pow(start.a[k * n + j], 2);
      for (std::uint32_t i = 0; i < m; ++i) b_norm += std::pow(start.b_transposed[k * m + i], 2);
      EXPECT_NEAR(a_norm, b_norm, 1e-5 * a_norm);
      for (std::uint32_t i = 0; i < m; ++i) {
        for (std::uint32_t j = 0; j < n; ++j)
          product(i, j) += double{start.b_transposed[k * m + i]} * start.a[k * n + j];
      }
    }
    // U_r·Σ_r·V_rᵀ·G^{-1/2}
    const Eigen::SelfAdjointEigenSolver<Matrix> gram(Eigen::Map<const Matrix>(layer.gram.data(), n, n));
    const Matrix target = layer.delta() * gram.operatorSqrt();
    const Eigen::JacobiSVD<Matrix> svd(target, Eigen::ComputeThinU | Eigen::ComputeThinV);
    const Matrix best = svd.matrixU().leftCols(rank) * svd.singularValues().head(rank).asDiagonal() *
                        svd.matrixV().leftCols(rank).transpose() * gram.operatorInverseSqrt();
    EXPECT_LT((product - best).norm(), 1e-5 * best.norm());
    // What it says is left is what is left, and the singular values beyond the rank.
    const double tail = svd.singularValues().tail(std::min(m, n) - rank).squaredNorm();
    EXPECT_NEAR(start.error_before, target.squaredNorm(), 1e-9 * start.error_before);
    EXPECT_NEAR(start.error, tail, 1e-9 * start.error_before);
    EXPECT_NEAR(start.error, ((layer.delta() - product) * gram.operatorSqrt()).squaredNorm(),
                1e-5 * start.error_before);
  }
}

// Inputs that never vary leave the Gram matrix singular, and a rank may exceed the matrix's.
TEST(Cloq, TakesSingularGramMatricesAndAnyRank) {
  Layer layer(6, 8);
  for (std::uint32_t j = 0; j < 8; ++j) layer.gram[j * 8 + 2] = layer.gram[2 * 8 + j] = 0;
  const CloqStart start = cloq(layer.start(), 10);
  ASSERT_EQ(start.a.size(), 80u);
  ASSERT_EQ(start.b_transposed.size(), 60u);
  for (const float value : start.a) EXPECT_TRUE(std::isfinite(value));
  EXPECT_LT(start.error, 1e-9 * start.error_before);
  for (std::uint32_t j = 0; j < 8; ++j) EXPECT_EQ(start.a[6 * 8 + j], 0.0f);
}

}  // namespace
}  // namespace walsh
