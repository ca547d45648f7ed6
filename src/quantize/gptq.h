// GPTQ (Frantar et al., arXiv 2210.17323): codes of W [m,n] column by column, each column's rounding error
// spread over the columns to its right so that the layer's output changes least.
//   H = XᵀX + λ·mean(diag)·I,  H⁻¹ = UᵀU, U upper triangular
//   for j = 0 … n−1:  q_j from column j,  e_j = (w_j − ŵ_j)/U_jj,  W[:, j:] −= e_j·U[j, j:]
// The proxy loss Σ e_j² equals tr((W − Ŵ)·H·(W − Ŵ)ᵀ). Coordinate descent may follow: each code in turn is
// rounded again with all others fixed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "quantize/grid.h"
#include "tensor/quantized_matrix.h"

namespace walsh {

/// The grid of one group from its weights; called from several threads.
using GridRule = std::function<AsymmetricGrid<double>(std::span<const double>)>;

/// Codes with the grids they stand for, before packing: ŵ = s·(q − z).
struct GroupCodes {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t bits = 4;
  std::uint32_t group_size = 0;
  std::vector<std::uint8_t> codes;            // [rows, columns]
  std::vector<AsymmetricGrid<double>> grids;  // [rows, columns / group_size]

  const AsymmetricGrid<double>& grid(std::size_t row, std::size_t column) const {
    return grids[row * (columns / group_size) + column / group_size];
  }
  double weight(std::size_t row, std::size_t column) const {
    const AsymmetricGrid<double>& g = grid(row, column);
    return g.scale * (codes[row * columns + column] - g.zero);
  }
};

struct GptqOptions {
  std::uint32_t bits = 4;
  int group_size = 64;  // -1: per channel
  bool symmetric = false;
  bool static_groups = true;  // all grids from W before any error is spread; else when a group is reached
  /// Columns by falling diagonal of the Gram matrix. Static groups stay as they stand; others are formed in
  /// that order (QuantizedMatrix::position).
  bool act_order = false;
  double damping = 0.01;        // λ
  int sweeps = 0;               // of coordinate descent against the original weights
  double sweep_damping = 0.75;  // added to the diagonal of its Gram matrix, in units of the diagonal's mean
  int magr_iterations = 0;      // of MagR with momentum beforehand (magr.h)
  double magr_alpha = 1e-5;
};

/// What `--quantizer magr-gptq` means at a width of codes: MagR with as many iterations with momentum as
/// bring it where 200 plain ones do, then 30 sweeps at 2 bits, else 1.
GptqOptions magr_gptq_options(std::uint32_t bits, int group_size, bool symmetric);

struct GptqResult {
  GroupCodes quantized;
  double proxy_loss = 0;
  double damping = 0;  // λ as used: ten times larger each time the factorisation failed
};

/// The columns of W in the order of falling diagonals of `gram` [columns, columns].
std::vector<std::size_t> activation_order(std::span<const double> gram, std::size_t columns);

/// The algorithm itself on weights [rows, columns] and the undamped Gram matrix [columns, columns]. A column
/// whose input is always 0 is quantised as 0.
GptqResult gptq(std::span<const double> weights, std::span<const double> gram, std::uint32_t rows,
                std::uint32_t columns, const GptqOptions& options, const GridRule& rule);

/// One more GPTQ-sized pass a sweep: for j in order u = w_j + Σ_{k≠j}(w_k − ŵ_k)·G'_kj/G'_jj, q_j from u,
/// grids fixed, G' = G + damping·mean(diag)·I. No step makes tr((W − Ŵ)·G'·(W − Ŵ)ᵀ) larger. Returns that
/// before the first sweep and after each.
std::vector<double> coordinate_descent(GroupCodes& quantized, std::span<const double> weights,
                                       std::span<const double> gram, int sweeps, double damping);

struct QuantizedLayer {
  QuantizedMatrix weight;
  double damping = 0;  // as in GptqResult: more than asked for means a Gram matrix that is barely positive
};

/// A layer's weight quantised as `options` say: MagR, GPTQ, coordinate descent, on grids as they are stored
/// (fp16 scales). Refuses what is not finite. `name` is the tensor's, for messages.
QuantizedLayer quantize_gptq(std::span<const float> weights, std::span<const double> gram, std::uint32_t rows,
                             std::uint32_t columns, const GptqOptions& options, std::string_view name);

/// ‖(W − Ŵ)·X‖² / ‖W·X‖² from the Gram matrix: what `quantize --report` states of a layer.
double relative_output_error(std::span<const float> weights, const QuantizedMatrix& quantized,
                             std::span<const double> gram);

}  // namespace walsh
