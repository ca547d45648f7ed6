// What a GGUF file's metadata and tensor names say, in the words of a Hugging Face config.json, and back.
// Architectures llama (Mistral's models are llama too), qwen2 and qwen3.
//
// Files of the llama architecture hold the rows of q and k so that the two halves of a rotated pair are
// neighbours: row 2i + j of a head is row i + j·D/2 of the model, with heads of D rows. Those of qwen2 and
// qwen3 hold them as they are.
#pragma once

#include <vector>

#include "io/gguf_writer.h"
#include "model/config.h"

namespace walsh {

/// config.json.
Json config_json(const Gguf& file);
/// The same parsed, with the frequency factors of the file's rope_freqs.weight.
ModelConfig read_config(const Gguf& file);

/// The metadata of a model, "general.architecture" first.
std::vector<GgufValue> config_values(const ModelConfig& config);

/// A weight's name in a file: "blk.0.attn_q.weight" for "model.layers.0.self_attn.q_proj.weight".
std::string gguf_name(const std::string& weight);

/// The row of a file's tensor at which row `row` of a weight stands; `row` itself where the file does not
/// permute.
std::uint64_t gguf_row(const ModelConfig& config, const std::string& weight, std::uint64_t row);
bool rows_move(const ModelConfig& config, const std::string& weight);

}  // namespace walsh
