// QWHA adapters on disk: ΔW = κ·F·H_rᵀ for the adapted layers, with F sparse. A folder of
//   adapter_model.safetensors   <layer>.row_ptr u32 [m + 1], <layer>.col u16 [p], <layer>.values f32 [p]
//   adapter_config.json         scale, rank and the base's bits and group size; for every layer its shape,
//   the Hadamard
//                               construction and the fingerprint of the base's codes and grid
// Coefficients mean something only on the very grid that they were found for, hence the fingerprint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/quantized_matrix.h"

namespace walsh {

/// XXH3 (128 bits) of a base layer's shape, codes and grid.
std::string fingerprint(const QuantizedMatrix& matrix);

struct AdapterLayer {
  std::string name;           // as in "model.layers.0.self_attn.q_proj"
  std::uint32_t rows = 0;     // m
  std::uint32_t columns = 0;  // n, at most 65536; columns of F are spectral
  std::vector<std::uint32_t> bases;
  std::uint32_t m2 = 0;  // H_r = had_{K1}ᵀ ⊗ had_{K2}ᵀ ⊗ … ⊗ H_{m2}: bases outermost first, n = K1·K2·…·m2
  std::string base;  // fingerprint
  std::vector<std::uint32_t> row_ptr;
  std::vector<std::uint16_t> col;  // ascending within a row
  std::vector<float> values;
};

struct Adapter {
  std::uint32_t rank = 0;
  double scale = 0;      // s of κ = s/(n·√m)
  bool hadamard = true;  // false: ΔW = s/√(n·m) · F, without a transform; layers then have no bases or m2
  std::uint32_t bits = 0;        // of the base
  std::uint32_t group_size = 0;  // of the base; 0: per channel
  std::vector<AdapterLayer> layers;
};

/// Writes both files into a folder that is there.
void write_adapter(const std::filesystem::path& folder, const Adapter& adapter);

/// Reads and checks both files; layers come in the order of their names.
Adapter read_adapter(const std::filesystem::path& folder);

/// Refuses a base layer that is not the one the adapter's layer was found for. `source` names the adapter.
void require_base(const AdapterLayer& layer, const QuantizedMatrix& base, const std::string& source);

}  // namespace walsh
