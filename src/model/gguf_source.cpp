// The weights of a GGUF file. Linear layers whose types all have codes (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0) become
// walsh's quantised layers with the same values, in groups of 32: 4-bit codes where all of them fit, else
// 8-bit ones. Other linear layers, and embedding and head in blocks, become 16 bits.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/half.h"
#include "io/gguf.h"
#include "model/gguf_config.h"
#include "model/weights.h"
#include "tensor/packing.h"

namespace walsh {
namespace {

bool is_dense(GgmlType type) { return format_of(type).weights == 1; }

DType dense_type(GgmlType type) {
  return type == GgmlType::f32 ? DType::f32 : type == GgmlType::bf16 ? DType::bf16 : DType::f16;
}

/// One type for embedding, head and linear layers that are not codes: theirs, F32 where they differ; F16 for
/// blocks.
DType common_type(const std::set<GgmlType>& linear, const std::set<GgmlType>& other) {
  std::set<DType> types;
  for (const std::set<GgmlType>* set : {&linear, &other})
    for (const GgmlType type : *set)
      if (is_dense(type)) types.insert(dense_type(type));
  return types.empty() ? DType::f16 : types.size() == 1 ? *types.begin() : DType::f32;
}

class GgufSource final : public WeightSource {
 public:
  explicit GgufSource(const std::filesystem::path& path)
      : file_(Gguf::open(path)), config_(read_config(file_)) {
    std::set<GgmlType> linear, other;
    for (const WeightInfo& weight : list_weights(config_)) {
      const GgufTensor& tensor = file_.at(gguf_name(weight.name));
      require(tensor.shape == weight.shape, "{}: shape {}, expected {}", tensor.source,
              fmt::join(tensor.shape, " x "), fmt::join(weight.shape, " x "));
      if (weight.kind == WeightKind::linear) {
        linear.insert(tensor.type);
      } else {
        require(
            is_dense(tensor.type) || weight.kind == WeightKind::embedding || weight.kind == WeightKind::head,
            "{}: type {}, expected F32, F16 or BF16", tensor.source, format_of(tensor.type).name);
        if (weight.kind == WeightKind::embedding || weight.kind == WeightKind::head)
          other.insert(tensor.type);
      }
    }
    if (std::ranges::all_of(linear, [](GgmlType type) { return grid_of(type).has_value(); })) {
      format_.group_size = 32;
      for (const GgmlType type : linear) {
        format_.bits = std::max(format_.bits, grid_of(type)->bits);
        format_.offset = format_.offset || grid_of(type)->offset;
      }
    }
    format_.dense = common_type(linear, other);
    describe(linear, other);
  }

  const ModelConfig& config() const override { return config_; }
  WeightFormat format() const override { return format_; }
  std::string note() const override { return note_; }
  DType dtype(const WeightInfo& weight) const override { return dense_type(at(weight.name).type); }

  std::vector<std::byte> read(const WeightInfo& weight, DType dtype) const override {
    const std::vector<float> values = rows(weight, 0, weight.shape[0]);
    const bool fits = dtype != DType::f16 ||
                      std::ranges::all_of(values, [](float value) { return !(std::abs(value) >= 65520.0f); });
    require(fits, "{}: weights beyond 65504 do not fit 16 bits (f16)", at(weight.name).source);
    return to_bytes(values, dtype);
  }

  std::vector<float> rows(const WeightInfo& weight, std::uint64_t first, std::uint64_t count) const override {
    const GgufTensor& tensor = at(weight.name);
    if (!rows_move(config_, weight.name)) return to_floats(tensor, first, count);
    std::vector<float> values;
    for (std::uint64_t row = first; row < first + count; ++row) {
      const auto part = to_floats(tensor, gguf_row(config_, weight.name, row), 1);
      values.insert(values.end(), part.begin(), part.end());
    }
    return values;
  }

  QuantizedMatrix quantized(const std::string& module, std::uint32_t rows,
                            std::uint32_t columns) const override {
    require(format_.bits > 0, "{}: the model is not quantised", module);
    const std::string name = module + ".weight";
    const GgufTensor& tensor = at(name);
    const GgmlGrid grid = *grid_of(tensor.type);
    QuantizedMatrix q{.rows = rows,
                      .columns = columns,
                      .bits = format_.bits,
                      .group_size = 32,
                      .symmetric = !format_.offset && grid.zero == 1u << (format_.bits - 1),
                      .offset = format_.offset,
                      .codes = {},
                      .grid = {}};
    const std::size_t block_bytes = format_of(tensor.type).bytes, row_words = words_per_row(columns, q.bits);
    q.codes.resize(rows * row_words);
    q.grid.resize(std::size_t{rows} * q.groups());
    for (std::uint32_t row = 0; row < rows; ++row) {
      const std::size_t stored = gguf_row(config_, name, row) * q.groups();
      for (std::uint32_t k = 0; k < q.groups(); ++k) {
        const GgmlCodes block =
            read_codes(tensor.type, tensor.bytes.subspan((stored + k) * block_bytes, block_bytes));
        // 32 codes of 4 or 8 bits are whole words.
        pack_codes(block.codes, q.bits, std::span(q.codes).subspan(row * row_words + k * q.bits, q.bits));
        q.grid[std::size_t{row} * q.groups() + k] = grid_word(block.d_f16, high_half(tensor, grid, block));
      }
    }
    return q;
  }

 private:
  const GgufTensor& at(const std::string& weight) const { return file_.at(gguf_name(weight)); }

  /// A block's zero, or its offset: m, or −zero·d where other layers have offsets.
  std::uint32_t high_half(const GgufTensor& tensor, const GgmlGrid& grid, const GgmlCodes& block) const {
    const float d = f16_to_float(block.d_f16), lowest = -static_cast<float>(grid.zero) * d;
    const std::uint16_t m = grid.offset ? block.m_f16 : float_to_f16(lowest);
    require(std::isfinite(d) && std::isfinite(f16_to_float(m)),
            "{}: a scale or offset is not a finite number", tensor.source);
    return format_.offset ? m : grid.zero;
  }

  void describe(const std::set<GgmlType>& linear, const std::set<GgmlType>& other) {
    const auto names = [](const std::set<GgmlType>& types) {
      std::string text;
      for (const GgmlType type : types)
        text += (text.empty() ? "" : ", ") + std::string(format_of(type).name);
      return text;
    };
    const std::string file = file_.path().filename().string();
    if (format_.bits > 0)
      note_ = fmt::format("{}: linear layers ({}) keep their values as {}-bit codes in groups of 32{}", file,
                          names(linear), format_.bits, format_.offset ? " with offsets" : "");
    else if (!std::ranges::all_of(linear, is_dense))
      note_ = fmt::format("{}: linear layers ({}) become {} at load", file, names(linear),
                          name_of(format_.dense));
    if (!std::ranges::all_of(other, is_dense))
      note_ += fmt::format("{}embedding or head ({}) become {}", note_.empty() ? file + ": " : "; ",
                           names(other), name_of(format_.dense));
  }

  Gguf file_;
  ModelConfig config_;
  WeightFormat format_;
  std::string note_;
};

}  // namespace

std::unique_ptr<WeightSource> open_gguf(const std::filesystem::path& file) {
  return std::make_unique<GgufSource>(file);
}

}  // namespace walsh
