#include "io/gptq.h"

#include <algorithm>
#include <cmath>

#include "tensor/packing.h"

namespace walsh {
namespace {

std::uint32_t group_width(const QuantizationConfig& config, std::uint32_t columns, std::string_view name) {
  if (config.group_size == -1) return columns;
  const auto size = static_cast<std::uint32_t>(config.group_size);
  require(columns % size == 0, "{}: group size {} does not divide the input width {}", name, size, columns);
  return size;
}

std::uint32_t extent(const TensorView& tensor, std::size_t dimension, std::size_t dimensions) {
  require(tensor.shape.size() == dimensions, "{}: shape {}, expected {} dimensions", tensor.source,
          shape_text(tensor.shape), dimensions);
  require(tensor.shape[dimension] > 0 && tensor.shape[dimension] <= 1u << 24, "{}: shape {} is not plausible",
          tensor.source, shape_text(tensor.shape));
  return static_cast<std::uint32_t>(tensor.shape[dimension]);
}

std::vector<std::uint32_t> words(const TensorView& tensor) {
  return to_values<std::uint32_t>(tensor, tensor.dtype == DType::u32 ? DType::u32 : DType::i32);
}

/// The input width: from g_idx where there is one, else from the groups, else from whole words.
std::uint32_t input_width(const Safetensors& tensors, const std::string& prefix,
                          const QuantizationConfig& config) {
  if (const TensorView* g_idx = tensors.find(prefix + "g_idx")) return extent(*g_idx, 0, 1);
  require(!config.padded && !config.act_order, "{}: tensor {}g_idx is missing, which a {} file needs",
          tensors.path().string(), prefix, config.padded ? "padded" : "desc_act");
  if (config.group_size != -1) {
    const std::uint64_t width = std::uint64_t{extent(tensors.at(prefix + "scales"), 0, 2)} *
                                static_cast<std::uint32_t>(config.group_size);
    require(width <= 1u << 24, "{}: an input width of {} is not plausible",
            tensors.at(prefix + "scales").source, width);
    return static_cast<std::uint32_t>(width);
  }
  return static_cast<std::uint32_t>(std::uint64_t{extent(tensors.at(prefix + "qweight"), 0, 2)} * 32 /
                                    config.bits);
}

/// Where each input stands when columns are sorted by group, inputs of a group in their order; empty where
/// that is where they are. Every group must hold group_size inputs.
std::vector<std::uint32_t> read_position(const TensorView& g_idx, std::uint32_t columns,
                                         std::uint32_t group_size) {
  require_shape(g_idx, std::vector<std::uint64_t>{columns});
  const auto groups = to_values<std::int32_t>(g_idx, DType::i32);
  std::vector<std::uint32_t> held(columns / group_size), position(columns);
  bool moved = false;
  for (std::uint32_t j = 0; j < columns; ++j) {
    const auto group = static_cast<std::uint32_t>(groups[j]);
    require(groups[j] >= 0 && group < held.size(), "{}: input {} belongs to group {}, expected 0 to {}",
            g_idx.source, j, groups[j], held.size() - 1);
    require(held[group] < group_size, "{}: group {} holds more than {} inputs", g_idx.source, group,
            group_size);
    position[j] = group * group_size + held[group]++;
    moved = moved || position[j] != j;
  }
  return moved ? position : std::vector<std::uint32_t>{};
}

/// Codes [rows, words] with the columns of every row moved: the code at `to[j]` comes from j, or the other
/// way.
std::vector<std::uint32_t> move_columns(std::span<const std::uint32_t> codes, std::uint32_t columns,
                                        std::uint32_t bits, std::span<const std::uint32_t> to, bool back) {
  const std::size_t row_words = words_per_row(columns, bits);
  std::vector<std::uint32_t> result(codes.size());
  std::vector<std::uint8_t> row(columns), moved(columns);
  for (std::size_t first = 0; first < codes.size(); first += row_words) {
    unpack_codes(codes.subspan(first, row_words), bits, row);
    for (std::size_t j = 0; j < columns; ++j) {
      if (back)
        moved[j] = row[to[j]];
      else
        moved[to[j]] = row[j];
    }
    pack_codes(moved, bits, std::span(result).subspan(first, row_words));
  }
  return result;
}

/// How a tensor's streams hold their codes: a dense bit stream, or ten 3-bit codes a word.
bool ten_a_word(const TensorView& tensor, std::uint32_t found, std::uint32_t codes, std::uint32_t bits) {
  if (found == words_per_row(codes, bits)) return false;
  require(bits == 3 && found == (codes + 9) / 10, "{}: {} words for {} codes of {} bits, expected {}",
          tensor.source, found, codes, bits, words_per_row(codes, bits));
  return true;
}

/// Codes as [rows, words] from qweight's [words, rows]; the bits of padding become zero whatever the file
/// holds.
std::vector<std::uint32_t> read_codes(const TensorView& qweight, std::uint32_t rows, std::uint32_t columns,
                                      std::uint32_t bits) {
  const std::uint32_t found = extent(qweight, 0, 2);
  const bool ten = ten_a_word(qweight, found, columns, bits);
  require_shape(qweight, std::vector<std::uint64_t>{found, rows});
  const auto stored = words(qweight);
  const std::size_t row_words = words_per_row(columns, bits);
  const std::uint32_t used = columns * bits % 32;
  const std::uint32_t last_word = used == 0 ? ~0u : (1u << used) - 1;
  std::vector<std::uint32_t> result(rows * row_words), stream(found);
  std::vector<std::uint8_t> codes(ten ? columns : 0);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto out = std::span(result).subspan(row * row_words, row_words);
    for (std::size_t w = 0; w < found; ++w) stream[w] = stored[w * rows + row];
    if (ten) {
      unpack_codes_ten_a_word(stream, codes);
      pack_codes(codes, bits, out);
    } else {
      std::ranges::copy(stream, out.begin());
      out.back() &= last_word;
    }
  }
  return result;
}

/// Zeros as they are stored, [groups, rows].
std::vector<std::uint8_t> read_zeros(const TensorView& qzeros, std::uint32_t groups, std::uint32_t rows,
                                     std::uint32_t bits) {
  const std::uint32_t found = extent(qzeros, 1, 2);
  const bool ten = ten_a_word(qzeros, found, rows, bits);
  require_shape(qzeros, std::vector<std::uint64_t>{groups, found});
  const auto stored = words(qzeros);
  std::vector<std::uint8_t> zeros(std::size_t{groups} * rows);
  for (std::size_t k = 0; k < groups; ++k) {
    const auto stream = std::span(stored).subspan(k * found, found);
    const auto out = std::span(zeros).subspan(k * rows, rows);
    if (ten)
      unpack_codes_ten_a_word(stream, out);
    else
      unpack_codes(stream, bits, out);
  }
  return zeros;
}

/// Some writers label v2 zeros as v1; the zeros of a symmetric model are all the same and tell which they
/// are.
bool stores_zeros_as_they_are(std::span<const std::uint8_t> zeros, const QuantizationConfig& config) {
  const int middle = 1 << (config.bits - 1);
  const auto all = [&](int value) {
    return std::ranges::all_of(zeros, [&](int zero) { return zero == value; });
  };
  if (config.symmetric && all(middle)) return true;
  if (config.symmetric && all(middle - 1)) return false;
  return config.v2;
}

}  // namespace

bool needs_padding(std::uint32_t rows, std::uint32_t columns, std::uint32_t bits) {
  return std::uint64_t{columns} * bits % 32 != 0 || std::uint64_t{rows} * bits % 32 != 0;
}

QuantizedMatrix read_gptq_layer(const Safetensors& tensors, std::string_view name,
                                const QuantizationConfig& config) {
  const std::string prefix = std::string(name) + ".";
  const TensorView& scales = tensors.at(prefix + "scales");
  QuantizedMatrix q;
  q.rows = extent(scales, 1, 2);
  q.columns = input_width(tensors, prefix, config);
  q.bits = config.bits;
  q.group_size = group_width(config, q.columns, scales.source);
  require_shape(scales, std::vector<std::uint64_t>{q.groups(), q.rows});
  if (const TensorView* g_idx = tensors.find(prefix + "g_idx"))
    q.position = read_position(*g_idx, q.columns, q.group_size);
  q.codes = read_codes(tensors.at(prefix + "qweight"), q.rows, q.columns, q.bits);
  if (!q.position.empty()) q.codes = move_columns(q.codes, q.columns, q.bits, q.position, false);
  const auto zeros = read_zeros(tensors.at(prefix + "qzeros"), q.groups(), q.rows, q.bits);
  const std::uint32_t offset = stores_zeros_as_they_are(zeros, config) ? 0 : 1;
  const auto scale_bits = to_values<std::uint16_t>(scales, DType::f16);

  q.grid.resize(std::size_t{q.rows} * q.groups());
  q.symmetric = true;
  for (std::size_t k = 0; k < q.groups(); ++k) {
    for (std::size_t row = 0; row < q.rows; ++row) {
      const std::size_t i = k * q.rows + row;
      require(std::isfinite(f16_to_float(scale_bits[i])),
              "{}: the scale of row {}, group {} is not a finite number", scales.source, row, k);
      const std::uint32_t zero = zeros[i] + offset;
      q.symmetric = q.symmetric && zero == 1u << (q.bits - 1);
      q.grid[row * q.groups() + k] = grid_word(scale_bits[i], zero);
    }
  }
  return q;
}

bool has_act_order(const Safetensors& tensors, const std::vector<std::string>& names,
                   const QuantizationConfig& config) {
  return std::ranges::any_of(names, [&](const std::string& name) {
    const TensorView* g_idx = tensors.find(name + ".g_idx");
    if (!g_idx) return false;
    const std::uint32_t columns = extent(*g_idx, 0, 1);
    return !read_position(*g_idx, columns, group_width(config, columns, g_idx->source)).empty();
  });
}

std::vector<TensorInfo> gptq_tensor_list(std::string_view name, std::uint32_t rows, std::uint32_t columns,
                                         const QuantizationConfig& config) {
  const std::string prefix = std::string(name) + ".";
  const std::uint64_t groups = columns / group_width(config, columns, name);
  return {{prefix + "qweight", DType::i32, {words_per_row(columns, config.bits), rows}},
          {prefix + "qzeros", DType::i32, {groups, words_per_row(rows, config.bits)}},
          {prefix + "scales", DType::f16, {groups, rows}},
          {prefix + "g_idx", DType::i32, {columns}}};
}

GptqLayer to_gptq(const QuantizedMatrix& matrix, const QuantizationConfig& config, std::string_view name) {
  require(matrix.bits == config.bits && matrix.group_size == group_width(config, matrix.columns, name),
          "{}: {} bits in groups of {}, which the quantisation config does not say", name, matrix.bits,
          matrix.group_size);
  require(config.padded || !needs_padding(matrix.rows, matrix.columns, matrix.bits),
          "{}: {} x {} codes of {} bits do not fill whole 32-bit words, which the GPTQ format needs", name,
          matrix.rows, matrix.columns, matrix.bits);
  const std::uint32_t offset = config.v2 ? 0 : 1;
  const std::size_t rows = matrix.rows, groups = matrix.groups();
  const std::size_t row_words = words_per_row(matrix.columns, matrix.bits);
  const std::size_t zero_words = words_per_row(matrix.rows, matrix.bits);

  require(matrix.position.empty() || config.act_order,
          "{}: groups in the order of activations, which the quantisation config does not say", name);
  const std::vector<std::uint32_t> codes =
      matrix.position.empty()
          ? matrix.codes
          : move_columns(matrix.codes, matrix.columns, matrix.bits, matrix.position, true);

  GptqLayer layer;
  layer.qweight.resize(row_words * rows);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t w = 0; w < row_words; ++w) layer.qweight[w * rows + row] = codes[row * row_words + w];

  layer.qzeros.resize(groups * zero_words);
  layer.scales.resize(groups * rows);
  std::vector<std::uint8_t> zeros(rows);
  for (std::size_t k = 0; k < groups; ++k) {
    for (std::size_t row = 0; row < rows; ++row) {
      const std::uint32_t word = matrix.grid[row * groups + k];
      const std::uint32_t zero = word >> 16;
      require(zero >= offset && zero - offset < 1u << matrix.bits, "{}: zero {} cannot be stored in GPTQ {}",
              name, zero, config.v2 ? "v2" : "v1");
      zeros[row] = static_cast<std::uint8_t>(zero - offset);
      layer.scales[k * rows + row] = static_cast<std::uint16_t>(word);
    }
    pack_codes(zeros, matrix.bits, std::span(layer.qzeros).subspan(k * zero_words, zero_words));
  }

  layer.g_idx.resize(matrix.columns);
  for (std::uint32_t j = 0; j < matrix.columns; ++j)
    layer.g_idx[j] = static_cast<std::int32_t>(matrix.stored_column(j) / matrix.group_size);
  return layer;
}

void write_gptq_layer(SafetensorsWriter& writer, std::string_view name, const QuantizedMatrix& matrix,
                      const QuantizationConfig& config) {
  const GptqLayer layer = to_gptq(matrix, config, name);
  const std::string prefix = std::string(name) + ".";
  writer.append(prefix + "qweight", std::as_bytes(std::span(layer.qweight)));
  writer.append(prefix + "qzeros", std::as_bytes(std::span(layer.qzeros)));
  writer.append(prefix + "scales", std::as_bytes(std::span(layer.scales)));
  writer.append(prefix + "g_idx", std::as_bytes(std::span(layer.g_idx)));
}

}  // namespace walsh
