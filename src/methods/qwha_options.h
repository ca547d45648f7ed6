// The options of QWHA, as `--set qwha.KEY=VALUE` and the run file give them, and the units of its
// coefficients.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace walsh {

/// How the columns of a row are chosen. D = ΔW·H_r is the row's spectrum, d the diagonal of the transformed
/// Gram matrix.
enum class QwhaSelect : std::uint8_t {
  gram_diag,  // the largest d_j · D_ij²: the published code's rule
  magnitude,  // the largest |D_ij|: the paper's rule
  omp,        // orthogonal matching pursuit on the output error
  omp4,       // the same, four columns a step
  ols,        // orthogonal least squares: each step the column that lowers the output error most
  random,     // a draw without replacement
};

/// Which error of a row decides its share of the budget.
enum class QwhaBudgetNorm : std::uint8_t {
  weight,      // ‖ΔW_i‖
  activation,  // ‖ΔW_i X‖
  magnitude,   // a count: the row's entries among the layer's largest |D_ij|, as many as the budget
};

/// Where F is applied. The results differ by rounding alone.
enum class QwhaProduct : std::uint8_t {
  activations,  // to the transformed input: a cost by token
  weights,      // to the weight, W' = W_q + α·F·H̃ᵀ, a tile of rows at a time: a cost by layer
};

/// How the coefficients' gradient is taken.
enum class QwhaGradient : std::uint8_t {
  sampled,   // a product of length T a coefficient
  dense,     // a tile of gᵀ·x̃ at a time, of which the coefficients' entries are kept
  gathered,  // of 16 rows at a time, with the columns that one of them has
};

struct QwhaOptions {
  QwhaSelect select = QwhaSelect::ols;
  QwhaBudgetNorm budget_norm = QwhaBudgetNorm::weight;
  bool hadamard = true;  // transform=none: F itself is the correction, ΔW = α·F (SHiRA, arXiv 2406.13175)
  bool refine = true;    // least squares on the support; otherwise the spectrum's own values
  bool zero = false;     // init=zero: the support as chosen, every value 0
  double temperature = 1.0;      // shares go with error^temperature
  std::uint32_t floor = 2;       // coefficients that every output channel gets
  std::uint32_t block_rows = 1;  // output channels that share their places, and but for one their number
  /// Sweeps over the base's codes, which are then chosen together with the adapter, where the run makes its
  /// base and the values are the least squares; 0: they stay as the quantiser left them.
  std::uint32_t recode = 4;
  double density = 0;     // of F: the budget is density · outputs · inputs; 0: by the rank
  double damping = 1e-4;  // added to the Gram matrix's diagonal, in units of its mean
  QwhaProduct product = QwhaProduct::activations;
  QwhaGradient gradient = QwhaGradient::sampled;
  double scale = 4000.0;   // s of the stored units, see qwha_kappa
  std::uint64_t seed = 0;  // of select=random; differs from layer to layer; not a key, the run has one seed
};

/// Sets one option from its key and value; refuses an unknown key (listing the known ones) and a value out of
/// range.
void set_qwha_option(QwhaOptions& options, std::string_view key, std::string_view value);

/// The options of a run: those of `set` whose keys are "qwha.KEY", and its seed.
QwhaOptions qwha_options(const std::map<std::string, std::string>& set, std::uint64_t seed);

/// Options from assignments "select=omp" or "qwha.select=omp".
QwhaOptions parse_qwha_options(const std::vector<std::string>& assignments);

/// Every key with its value, such that set_qwha_option gives the same options again.
std::vector<std::pair<std::string, std::string>> qwha_settings(const QwhaOptions& options);

/// κ of ΔW = κ · F · H_rᵀ for coefficients stored at scale s.
inline double qwha_kappa(std::uint32_t outputs, std::uint32_t inputs, double scale) {
  return scale / (inputs * std::sqrt(static_cast<double>(outputs)));
}

/// Stored coefficients over coefficients in units of H_rᵀ/n: c = c_raw · √m / s.
inline double qwha_stored_over_raw(std::uint32_t outputs, double scale) {
  return std::sqrt(static_cast<double>(outputs)) / scale;
}

/// α of ΔW = α · F · H̃ᵀ, and without a transform of ΔW = α · F.
inline double qwha_alpha(std::uint32_t outputs, std::uint32_t inputs, double scale) {
  return scale / std::sqrt(static_cast<double>(outputs) * inputs);
}

}  // namespace walsh
