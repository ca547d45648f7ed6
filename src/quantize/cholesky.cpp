#include "quantize/cholesky.h"

#include <Eigen/Cholesky>
#include <algorithm>

#include "base/parallel.h"

namespace walsh {
namespace {

using Eigen::Index;

constexpr Index block = 96;

Index count_blocks(Index n) { return (n + block - 1) / block; }

}  // namespace

bool cholesky_in_place(Eigen::MatrixXd& a) {
  const Index n = a.rows();
  for (Index first = 0; first < n; first += block) {
    const Index width = std::min(block, n - first), rest = n - first - width;
    auto corner = a.block(first, first, width, width);
    const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(corner);
    if (factor.info() != Eigen::Success) return false;
    if (rest == 0) break;
    auto panel = a.block(first + width, first, rest, width);
    const auto tiles = static_cast<std::size_t>(count_blocks(rest));
    const auto range = [&](std::size_t tile) {
      const Index begin = static_cast<Index>(tile) * block;
      return std::pair(begin, std::min(block, rest - begin));
    };
    parallel_for(tiles, [&](std::size_t tile) {
      const auto [begin, count] = range(tile);
      auto rows = panel.middleRows(begin, count);
      corner.triangularView<Eigen::Lower>().transpose().solveInPlace<Eigen::OnTheRight>(rows);
    });
    auto trailing = a.bottomRightCorner(rest, rest);
    parallel_for(tiles, [&](std::size_t tile) {  // a column of tiles, from its diagonal down
      const auto [begin, count] = range(tile);
      trailing.block(begin, begin, rest - begin, count).noalias() -=
          panel.bottomRows(rest - begin) * panel.middleRows(begin, count).transpose();
    });
  }
  return true;
}

Eigen::MatrixXd lower_inverse(const Eigen::MatrixXd& lower) {
  const Index n = lower.rows();
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Identity(n, n);
  parallel_for(static_cast<std::size_t>(count_blocks(n)), [&](std::size_t i) {
    const Index first = static_cast<Index>(i) * block, rest = n - first;  // above it a column of L⁻¹ is 0
    auto columns = inverse.block(first, first, rest, std::min(block, rest));
    lower.bottomRightCorner(rest, rest).triangularView<Eigen::Lower>().solveInPlace(columns);
  });
  return inverse;
}

}  // namespace walsh
