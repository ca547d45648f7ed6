#include "quantize/cholesky.h"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>

#include "base/philox.h"

namespace walsh {
namespace {

Eigen::MatrixXd positive(Eigen::Index n) {
  Philox random(static_cast<std::uint64_t>(n));
  Eigen::MatrixXd x(n, n + 3);
  for (Eigen::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal();
  return x * x.transpose() + Eigen::MatrixXd::Identity(n, n);
}

TEST(Cholesky, AgreesWithTheUnblockedFactor) {
  for (const Eigen::Index n : {1, 5, 95, 96, 97, 300}) {
    const Eigen::MatrixXd a = positive(n);
    Eigen::MatrixXd l = a;
    l.triangularView<Eigen::StrictlyUpper>().setConstant(1e300);  // never read
    ASSERT_TRUE(cholesky_in_place(l)) << n;
    const Eigen::MatrixXd expected = a.llt().matrixL();
    const Eigen::MatrixXd found = l.triangularView<Eigen::Lower>();
    EXPECT_LT((found - expected).norm(), 1e-11 * expected.norm()) << n;
    const Eigen::MatrixXd product = lower_inverse(l) * found;
    EXPECT_LT((product - Eigen::MatrixXd::Identity(n, n)).norm(), 1e-9) << n;
  }
}

TEST(Cholesky, FailsOnAMatrixThatIsNotPositive) {
  for (const Eigen::Index n : {2, 150}) {
    Eigen::MatrixXd a = positive(n);
    a(n - 1, n - 1) = -1;
    EXPECT_FALSE(cholesky_in_place(a)) << n;
  }
}

}  // namespace
}  // namespace walsh
