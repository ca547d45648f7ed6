// Where a model's weights come from: a Hugging Face folder, quantised in GPTQ format or not, a GGUF file, or
// a seed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "tensor/dtype.h"
#include "tensor/quantized_matrix.h"

namespace walsh {

/// How the linear layers are stored: dense (bits = 0) or quantised.
struct WeightFormat {
  DType dense = DType::f32;  // of embedding, head and dense linear layers: f32, f16 or bf16
  std::uint32_t bits = 0;
  int group_size = -1;     // -1: per channel
  bool offset = false;     // grids with a float offset, see tensor/quantized_matrix.h
  bool act_order = false;  // some quantised layer's columns stand in another order than its inputs
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  virtual const ModelConfig& config() const = 0;
  virtual WeightFormat format() const = 0;
  /// The type that a dense weight is stored in.
  virtual DType dtype(const WeightInfo& weight) const = 0;

  /// A dense weight by its full name ("model.norm.weight"), of exactly this shape, in the type asked for.
  virtual std::vector<std::byte> read(const WeightInfo& weight, DType dtype) const = 0;
  /// Rows [first, first + count) of a dense matrix as floats.
  virtual std::vector<float> rows(const WeightInfo& weight, std::uint64_t first,
                                  std::uint64_t count) const = 0;
  /// A quantised layer by its module name; refused where the source is dense.
  virtual QuantizedMatrix quantized(const std::string& module, std::uint32_t rows,
                                    std::uint32_t columns) const = 0;
  /// One line for people about weights that are not held as they are stored; empty: nothing to say.
  virtual std::string note() const { return {}; }
};

/// Whether a path names a model that open_model reads from one file.
bool is_gguf(const std::filesystem::path& model);

/// A folder with config.json and *.safetensors, or a GGUF file; every tensor's presence, type and shape is
/// checked here.
std::unique_ptr<WeightSource> open_model(const std::filesystem::path& model);
std::unique_ptr<WeightSource> open_gguf(const std::filesystem::path& file);

/// Weights drawn from a seed in the shape of `config`: normal, with the spread usual at initialisation. For
/// runs that need the shape only. With `format.bits` the layers are quantised by round-to-nearest.
std::unique_ptr<WeightSource> random_model(const ModelConfig& config, const WeightFormat& format,
                                           std::uint64_t seed);

/// The linear layers of `linears`, everything else of `rest`. Both must outlive it and agree in shape.
std::unique_ptr<WeightSource> combined_model(const WeightSource& rest, const WeightSource& linears);

/// Floats in another type, f32, f16 or bf16, rounded to nearest.
std::vector<std::byte> to_bytes(std::span<const float> values, DType dtype);

/// Floats of a weight, whole.
std::vector<float> read_floats(const WeightSource& source, const WeightInfo& weight);

/// The entry of list_weights by name.
WeightInfo find_weight(const ModelConfig& config, const std::string& name);

}  // namespace walsh
