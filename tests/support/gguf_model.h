// A model written as a GGUF file by the format's rules, for tests.
#pragma once

#include <filesystem>
#include <functional>

#include "io/gguf_writer.h"
#include "model/gguf_config.h"
#include "model/weights.h"

namespace walsh::test {

/// The bytes of a tensor from its floats, in the file's type.
using ToBlocks = std::function<std::vector<std::byte>(GgmlType, std::span<const float>)>;

inline std::vector<std::byte> blocks_of(GgmlType type, std::span<const float> values) {
  if (type == GgmlType::f32) return to_bytes(values, DType::f32);
  if (type == GgmlType::f16) return to_bytes(values, DType::f16);
  if (type == GgmlType::bf16) return to_bytes(values, DType::bf16);
  std::vector<std::byte> bytes(values.size() / 32 * 34);
  for (std::size_t i = 0; i < values.size() / 32; ++i)
    write_codes(GgmlType::q8_0, quantize_q8_0(std::span<const float, 32>(values.data() + 32 * i, 32)),
                std::span(bytes).subspan(34 * i, 34));
  return bytes;
}

/// Head h's rows of q and k: the halves of a head interleaved, as ggml's rotation of neighbours wants them.
inline std::vector<float> interleaved(const std::vector<float>& values, std::uint32_t rows,
                                      std::uint32_t head_dim) {
  const std::size_t width = values.size() / rows;
  std::vector<float> moved(values.size());
  std::size_t to = 0;
  for (std::uint32_t head = 0; head < rows / head_dim; ++head)
    for (std::uint32_t i = 0; i < head_dim / 2; ++i)
      for (std::uint32_t half = 0; half < 2; ++half)
        for (std::size_t c = 0; c < width; ++c)
          moved[to++] = values[(head * head_dim + half * head_dim / 2 + i) * width + c];
  return moved;
}

/// `linear` and `embedding` are the types of linear layers, and of embedding and head.
inline void write_gguf_model(const std::filesystem::path& path, const WeightSource& source, GgmlType linear,
                             GgmlType embedding, const std::vector<GgufValue>& more = {},
                             const ToBlocks& to_blocks = blocks_of) {
  const ModelConfig& config = source.config();
  std::vector<GgufValue> values = config_values(config);
  values.insert(values.end(), more.begin(), more.end());
  std::vector<GgufTensorInfo> tensors;
  const auto type_of = [&](const WeightInfo& w) {
    return w.kind == WeightKind::linear                                    ? linear
           : w.kind == WeightKind::embedding || w.kind == WeightKind::head ? embedding
                                                                           : GgmlType::f32;
  };
  for (const WeightInfo& w : list_weights(config))
    tensors.push_back({gguf_name(w.name), type_of(w), w.shape});
  GgufWriter writer(path, values, tensors);
  const bool llama = config.architecture == Architecture::llama;
  for (const WeightInfo& w : list_weights(config)) {
    std::vector<float> floats = read_floats(source, w);
    const bool rotated =
        w.name.find(".q_proj.") != std::string::npos || w.name.find(".k_proj.") != std::string::npos;
    if (llama && rotated)
      floats = interleaved(floats, static_cast<std::uint32_t>(w.shape[0]), config.head_dim);
    writer.append(gguf_name(w.name), to_blocks(type_of(w), floats));
  }
  writer.publish();
}

}  // namespace walsh::test
