// Quantised linear layers in the GPTQ file format. A layer W [m, n] with group size g is stored as
//   qweight i32 [n·bits/32, m]     one bit stream along the input for every output column
//   qzeros  i32 [n/g, m·bits/32]   one bit stream along the output for every group; v1 stores z − 1, v2
//   stores z scales  f16 [n/g, m]           g_idx i32 [n]: the group of input j, j/g unless groups were
//   formed in the order of activations (desc_act)
// Streams that do not fill whole words are padded; the file is then marked `walsh_padded`, since other tools
// compute other shapes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "io/safetensors.h"
#include "tensor/quantized_matrix.h"

namespace walsh {

struct QuantizationConfig {
  std::uint32_t bits = 4;
  int group_size = -1;  // -1: per channel
  bool symmetric = false;
  bool v2 = true;  // zeros are stored as they are
  bool padded = false;
  bool act_order = false;  // groups are of any g inputs, as g_idx says
};

/// Symmetric models are written as v1, which every loader reads; asymmetric ones as v2, since v1 cannot hold
/// z = 0.
QuantizationConfig quantization_config(std::uint32_t bits, int group_size, bool symmetric, bool padded);

/// Whether a model's config.json (or the quantize_config.json of older folders) says that its layers are
/// quantised.
bool is_quantized(const std::filesystem::path& folder);

/// The `quantization_config` of config.json, or else quantize_config.json; refuses what walsh does not read,
/// by name.
QuantizationConfig read_quantization_config(const std::filesystem::path& folder);
QuantizationConfig parse_quantization_config(const Json& json, const std::string& source);
OrderedJson to_json(const QuantizationConfig& config);

/// The text of a config.json with its quantization_config put in; other keys keep their order.
std::string with_quantization_config(std::string_view config_text, const QuantizationConfig& config,
                                     const std::string& source);

/// Whether a layer's streams do not fill whole words.
bool needs_padding(std::uint32_t rows, std::uint32_t columns, std::uint32_t bits);

/// `name` is the layer's, as in "model.layers.0.self_attn.q_proj".
QuantizedMatrix read_gptq_layer(const Safetensors& tensors, std::string_view name,
                                const QuantizationConfig& config);

/// Whether any of these layers' g_idx is not j/g, whatever the configuration says.
bool has_act_order(const Safetensors& tensors, const std::vector<std::string>& names,
                   const QuantizationConfig& config);

/// What a layer's tensors will be, for the writer, before their bytes are known.
std::vector<TensorInfo> gptq_tensor_list(std::string_view name, std::uint32_t rows, std::uint32_t columns,
                                         const QuantizationConfig& config);

struct GptqLayer {
  std::vector<std::uint32_t> qweight;
  std::vector<std::uint32_t> qzeros;
  std::vector<std::uint16_t> scales;
  std::vector<std::int32_t> g_idx;
};
GptqLayer to_gptq(const QuantizedMatrix& matrix, const QuantizationConfig& config, std::string_view name);

/// Appends the layer's tensors to a writer that was announced gptq_tensor_list.
void write_gptq_layer(SafetensorsWriter& writer, std::string_view name, const QuantizedMatrix& matrix,
                      const QuantizationConfig& config);

}  // namespace walsh
