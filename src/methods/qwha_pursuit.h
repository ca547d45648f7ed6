// Places of coefficients found by pursuit of the output error, of a row i or of the rows of a block together.
// With values c that are the least squares on the columns S chosen so far, the gradient is r_i = T_i −
// Ĝ[:,S]·c_i, and
//   orthogonal matching pursuit takes the largest Σ_i r_ij²/Ĝ_jj,
//   orthogonal least squares the largest Σ_i r_ij²/ℓ_j², ℓ_j² = Ĝ_jj − Ĝ[j,S]·Ĝ[S,S]⁻¹·Ĝ[S,j]: the drop in
//   error.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "methods/qwha_init.h"

namespace walsh {

/// Room for the directions of a row, which the rows of a thread have one after the other: with fresh pages
/// for every row the kernel would spend more time on clearing them than the row takes.
double* room_for_directions(std::size_t count);

/// The `count` best scores, ties to the lowest column, in order of score.
std::vector<std::uint32_t> best_columns(const Eigen::VectorXd& score, std::size_t count);

/// Orthogonal matching pursuit, `block` columns at a time. About n·k²/2 multiply-adds for k of n columns.
std::vector<std::uint32_t> matching_pursuit(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t rows,
                                            std::uint32_t count, std::size_t block);

/// Orthogonal least squares, for as many multiply-adds. Columns come one at a time, but beyond the tenth only
/// a tenth as many as there are at once are scored among all columns: within such a block, those that looked
/// best before it are scored anew for each. So most of the work is a product of matrices.
std::vector<std::uint32_t> least_squares_pursuit(const QwhaSpectra& spectra, std::uint32_t row,
                                                 std::uint32_t rows, std::uint32_t count);

}  // namespace walsh
