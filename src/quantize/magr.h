// MagR (Zhang et al., arXiv 2406.00800): weights whose largest magnitudes are smaller and whose outputs are
// almost the same, so that a grid of few steps fits them better. Minimises over V
//   ½·tr((V − W)·Gn·(V − W)ᵀ) + α·Σ_{row, group} max|V|,  Gn = G/λ_max(G)
// by proximal gradient with step 1 from V = W.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace walsh {

/// The proximal map of α·max|v|, in place: v ← sign(v)·min(|v|, t) with t ≥ 0 such that Σ max(|v| − t, 0) =
/// α; 0 where Σ|v| ≤ α. T is float or double.
template <typename T>
void prox_largest(std::span<T> v, T alpha);

/// The largest eigenvalue of a symmetric, positive semi-definite matrix [n,n], by power iteration to T's
/// precision.
template <typename T>
T largest_eigenvalue(std::span<const T> matrix, std::uint32_t n);

/// V after `iterations` steps from W [rows, columns]; `gram` [columns, columns] symmetric. With `momentum`
/// each step starts ahead of the last one (Beck and Teboulle 2009, FISTA), which gets further in 40 steps
/// than plain ones in 200.
template <typename T>
std::vector<T> magr(std::span<const T> weights, std::span<const T> gram, std::uint32_t rows,
                    std::uint32_t columns, std::uint32_t group_size, T alpha, int iterations,
                    bool momentum = false);

}  // namespace walsh
