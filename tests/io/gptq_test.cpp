#include "io/gptq.h"

#include <functional>

#include "base/philox.h"
#include "tensor/packing.h"
#include "tests/support/scratch.h"

namespace walsh::test {
namespace {

QuantizedMatrix random_matrix(std::uint32_t rows, std::uint32_t columns, std::uint32_t bits,
                              std::uint32_t group_size, bool symmetric) {
  QuantizedMatrix q{.rows = rows,
                    .columns = columns,
                    .bits = bits,
                    .group_size = group_size,
                    .symmetric = symmetric,
                    .codes = {},
                    .grid = {}};
  Philox random(bits * 1000 + group_size);
  std::vector<std::uint8_t> codes(columns);
  for (std::uint32_t row = 0; row < rows; ++row) {
    for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random.below(1u << bits));
    for (const std::uint32_t word : pack_codes(codes, bits)) q.codes.push_back(word);
    for (std::uint32_t k = 0; k < q.groups(); ++k) {
      const std::uint32_t zero = symmetric ? 1u << (bits - 1) : random.below(1u << bits);
      q.grid.push_back(grid_word(float_to_f16(0.01f + random.uniform()), zero));
    }
  }
  if (!symmetric) q.grid[0] = grid_word(float_to_f16(0.5f), 0);  // the zero that v1 cannot hold
  return q;
}

void write_layer(const std::filesystem::path& path, const QuantizedMatrix& q,
                 const QuantizationConfig& config) {
  SafetensorsWriter writer(path, gptq_tensor_list("a.b", q.rows, q.columns, config), {{"format", "pt"}});
  write_gptq_layer(writer, "a.b", q, config);
  writer.publish();
}

void expect_equal(const QuantizedMatrix& a, const QuantizedMatrix& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.columns, b.columns);
  EXPECT_EQ(a.bits, b.bits);
  EXPECT_EQ(a.group_size, b.group_size);
  EXPECT_EQ(a.symmetric, b.symmetric);
  EXPECT_EQ(a.codes, b.codes);
  EXPECT_EQ(a.grid, b.grid);
}

/// Writes a layer's tensors after `change`.
void write_changed(const std::filesystem::path& path, const QuantizedMatrix& q,
                   const QuantizationConfig& config, const std::function<void(GptqLayer&)>& change) {
  GptqLayer layer = to_gptq(q, config, "a.b");
  change(layer);
  const auto list = gptq_tensor_list("a.b", q.rows, q.columns, config);
  const NamedTensor tensors[] = {
      {list[0].name, list[0].dtype, list[0].shape, std::as_bytes(std::span(layer.qweight))},
      {list[1].name, list[1].dtype, list[1].shape, std::as_bytes(std::span(layer.qzeros))},
      {list[2].name, list[2].dtype, list[2].shape, std::as_bytes(std::span(layer.scales))},
      {list[3].name, list[3].dtype, list[3].shape, std::as_bytes(std::span(layer.g_idx))}};
  write_safetensors(path, tensors);
}

std::string refusal_after(const std::filesystem::path& path, const QuantizedMatrix& q,
                          const QuantizationConfig& config, const std::function<void(GptqLayer&)>& change) {
  write_changed(path, q, config, change);
  return refusal_of([&] { read_gptq_layer(Safetensors::open(path), "a.b", config); });
}

}  // namespace

TEST(gptq, round_trip_of_every_form) {
  const ScratchFolder folder;
  struct Shape {
    std::uint32_t rows, columns;
  };
  // The last two fill whole words for some widths of code only, and are padded for the others.
  for (const auto [rows, columns] : {Shape{32, 128}, Shape{96, 64}, Shape{64, 172}, Shape{172, 64}}) {
    for (const std::uint32_t bits : {2u, 3u, 4u, 8u}) {
      for (const int group_size : {-1, 32, 64, 4}) {
        if (group_size != -1 && columns % static_cast<std::uint32_t>(group_size) != 0) continue;
        for (const bool symmetric : {false, true}) {
          const std::uint32_t width = group_size == -1 ? columns : static_cast<std::uint32_t>(group_size);
          const auto q = random_matrix(rows, columns, bits, width, symmetric);
          const auto config =
              quantization_config(bits, group_size, symmetric, needs_padding(rows, columns, bits));
          EXPECT_EQ(config.v2, !symmetric);
          write_layer(folder / "x.safetensors", q, config);
          const auto parsed = parse_quantization_config(Json::parse(to_json(config).dump()), "config.json");
          expect_equal(read_gptq_layer(Safetensors::open(folder / "x.safetensors"), "a.b", parsed), q);
        }
      }
    }
  }
}

TEST(gptq, symmetric_zeros_tell_their_version) {
  const ScratchFolder folder;
  const auto q = random_matrix(32, 64, 4, 32, true);
  for (const bool written_as_v2 : {false, true}) {
    for (const bool labelled_v2 : {false, true}) {
      QuantizationConfig config = quantization_config(4, 32, true, false);
      config.v2 = written_as_v2;
      write_layer(folder / "x.safetensors", q, config);
      config.v2 = labelled_v2;
      expect_equal(read_gptq_layer(Safetensors::open(folder / "x.safetensors"), "a.b", config), q);
    }
  }
}

TEST(gptq, bits_of_padding_do_not_matter) {
  const ScratchFolder folder;
  const auto q = random_matrix(4, 172, 3, 172, false);  // 516 bits a row: four in the last word
  const auto config = quantization_config(3, -1, false, true);
  write_changed(folder / "x.safetensors", q, config, [&](GptqLayer& layer) {
    for (std::size_t i = layer.qweight.size() - 4; i < layer.qweight.size(); ++i)
      layer.qweight[i] |= ~0u << 4;
  });
  expect_equal(read_gptq_layer(Safetensors::open(folder / "x.safetensors"), "a.b", config), q);
}

TEST(gptq, three_bits_ten_a_word) {
  const ScratchFolder folder;
  const auto q = random_matrix(32, 32, 3, 32, false);
  const auto config = quantization_config(3, 32, false, false);
  // The same codes and zeros, ten in each word.
  std::vector<std::int32_t> qweight(4 * 32), qzeros(4);
  for (std::uint32_t row = 0; row < 32; ++row) {
    for (std::uint32_t j = 0; j < 32; ++j)
      qweight[j / 10 * 32 + row] |= static_cast<std::int32_t>(q.code(row, j) << (3 * (j % 10)));
    qzeros[row / 10] |= static_cast<std::int32_t>(q.zero(row, 0) << (3 * (row % 10)));
  }
  const GptqLayer layer = to_gptq(q, config, "a.b");
  const NamedTensor tensors[] = {{"a.b.qweight", DType::i32, {4, 32}, std::as_bytes(std::span(qweight))},
                                 {"a.b.qzeros", DType::i32, {1, 4}, std::as_bytes(std::span(qzeros))},
                                 {"a.b.scales", DType::f16, {1, 32}, std::as_bytes(std::span(layer.scales))}};
  write_safetensors(folder / "x.safetensors", tensors);
  expect_equal(read_gptq_layer(Safetensors::open(folder / "x.safetensors"), "a.b", config), q);
}

// A file as act-order quantisers write it: input j belongs to group g_idx[j], codes stand in the order of
// inputs.
TEST(gptq, groups_in_the_order_of_activations) {
  const ScratchFolder folder;
  const auto path = folder / "x.safetensors";
  for (const std::uint32_t bits : {2u, 3u, 4u, 8u})
    for (const bool v2 : {false, true}) {
      auto q = random_matrix(32, 64, bits, 16, false);
      for (std::uint32_t& word : q.grid)
        word = grid_word(static_cast<std::uint16_t>(word), std::max(1u, word >> 16));  // v1 cannot hold 0
      auto config = quantization_config(bits, 16, false, false);
      config.v2 = v2;
      config.act_order = true;
      std::vector<std::int32_t> g_idx(64);
      for (std::uint32_t j = 0; j < 64; ++j) g_idx[j] = static_cast<std::int32_t>(j * 37 % 64 / 16);
      write_changed(path, q, config, [&](GptqLayer& layer) { layer.g_idx = g_idx; });
      const Safetensors file = Safetensors::open(path);
      const QuantizedMatrix read = read_gptq_layer(file, "a.b", config);
      for (std::uint32_t i = 0; i < 32; ++i)
        for (std::uint32_t j = 0; j < 64; ++j) {
          const auto k = static_cast<std::uint32_t>(g_idx[j]);
          const float expected =
              q.scale(i, k) * (static_cast<float>(q.code(i, j)) - static_cast<float>(q.zero(i, k)));
          ASSERT_EQ(read.weight(i, j), expected) << bits << " bits, [" << i << ", " << j << "]";
        }
      // Written again it is the same file, and its configuration says so.
      const GptqLayer again = to_gptq(read, config, "a.b");
      EXPECT_EQ(again.g_idx, g_idx);
      EXPECT_EQ(again.qweight, to_gptq(q, config, "a.b").qweight);
      EXPECT_TRUE(has_act_order(file, {"a.b"}, config));
      EXPECT_TRUE(parse_quantization_config(Json::parse(to_json(config).dump()), "config.json").act_order);
    }
  // Columns in their order are nothing special, whatever the configuration says.
  const auto q = random_matrix(32, 64, 4, 16, false);
  auto config = quantization_config(4, 16, false, false);
  config.act_order = true;
  write_layer(path, q, config);
  EXPECT_FALSE(has_act_order(Safetensors::open(path), {"a.b"}, config));
  EXPECT_TRUE(read_gptq_layer(Safetensors::open(path), "a.b", config).position.empty());
}

TEST(gptq, refuses_what_it_cannot_read_or_write) {
  const ScratchFolder folder;
  const auto path = folder / "x.safetensors";
  const auto q = random_matrix(32, 64, 4, 32, false);
  auto config = quantization_config(4, 32, false, false);
  EXPECT_EQ(refusal_after(path, q, config, [](GptqLayer&) {}), "");
  EXPECT_TRUE(one_line_with(refusal_after(path, q, config, [](GptqLayer& l) { l.g_idx[5] = 1; }),
                            "group 1 holds more than 32 inputs"));
  EXPECT_TRUE(one_line_with(refusal_after(path, q, config, [](GptqLayer& l) { l.g_idx[5] = -1; }),
                            "input 5 belongs to group -1, expected 0 to 1"));
  EXPECT_TRUE(one_line_with(refusal_after(path, q, config, [](GptqLayer& l) { l.g_idx[5] = 2; }), "group 2"));
  auto reordered = q;
  reordered.position.resize(64);
  for (std::uint32_t j = 0; j < 64; ++j) reordered.position[j] = 63 - j;
  EXPECT_TRUE(one_line_with(refusal_of([&] { to_gptq(reordered, config, "a.b"); }), "order of activations"));
  EXPECT_TRUE(one_line_with(refusal_after(path, q, config, [](GptqLayer& l) { l.scales[1] = 0x7c00; }),
                            "row 1, group 0"));

  write_layer(path, q, config);
  const Safetensors file = Safetensors::open(path);
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { read_gptq_layer(file, "a.c", config); }), "a.c.scales is missing"));
  auto other = config;
  other.group_size = 16;
  EXPECT_TRUE(one_line_with(refusal_of([&] { read_gptq_layer(file, "a.b", other); }),
                            "shape 2 x 32, expected 4 x 32"));
  other = config;
  other.bits = 8;
  EXPECT_TRUE(one_line_with(refusal_of([&] { read_gptq_layer(file, "a.b", other); }),
                            "8 words for 64 codes of 8 bits"));

  auto v1 = config;
  v1.v2 = false;
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { to_gptq(q, v1, "a.b"); }), "zero 0 cannot be stored in GPTQ v1"));
  const auto odd = random_matrix(64, 172, 4, 172, false);
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { to_gptq(odd, quantization_config(4, -1, false, false), "a.b"); }),
                    "do not fill whole 32-bit words"));
}

TEST(gptq, config) {
  const ScratchFolder folder;
  const auto refusal = [](const char* text) {
    return refusal_of([&] { parse_quantization_config(Json::parse(text), "config.json"); });
  };
  EXPECT_EQ(refusal(R"({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": true})"), "");
  EXPECT_TRUE(one_line_with(refusal(R"({"quant_method": "awq", "bits": 4, "group_size": 128})"), "awq"));
  EXPECT_TRUE(
      one_line_with(refusal(R"({"checkpoint_format": "marlin", "bits": 4, "group_size": 128})"), "marlin"));
  EXPECT_TRUE(one_line_with(refusal(R"({"bits": 5, "group_size": 128})"), "\"bits\" is 5"));
  EXPECT_TRUE(one_line_with(refusal(R"({"bits": 4294967300, "group_size": 128})"), "bits"));
  EXPECT_TRUE(one_line_with(refusal(R"({"bits": 4})"), "group_size"));
  EXPECT_TRUE(one_line_with(refusal(R"({"bits": 4, "group_size": 0})"), "group_size"));
  EXPECT_TRUE(one_line_with(refusal(R"({"bits": 4, "group_size": 4294967424})"), "group_size"));
  EXPECT_TRUE(one_line_with(refusal(R"({"bits": 4, "group_size": 8, "lm_head": true})"), "lm_head"));
  EXPECT_TRUE(one_line_with(refusal(R"({"bits": 4, "group_size": 8, "dynamic": {"a": {}}})"), "dynamic"));
  EXPECT_TRUE(one_line_with(refusal("[]"), "object"));

  write_file(folder / "config.json", R"({"z": 1, "a": 2})");
  EXPECT_FALSE(is_quantized(folder.path()));
  EXPECT_TRUE(one_line_with(refusal_of([&] { read_quantization_config(folder.path()); }), "not quantised"));
  write_file(folder / "quantize_config.json", R"({"bits": 3, "group_size": 64, "sym": false})");
  EXPECT_TRUE(is_quantized(folder.path()));
  EXPECT_EQ(read_quantization_config(folder.path()).bits, 3u);

  const auto written = quantization_config(2, -1, false, true);
  const std::string text = with_quantization_config(R"({"z": 1, "a": 2})", written, "config.json");
  EXPECT_LT(text.find("\"z\""), text.find("\"a\""));
  write_file(folder / "config.json", text);
  const auto read = read_quantization_config(folder.path());
  EXPECT_EQ(read.bits, 2u);
  EXPECT_EQ(read.group_size, -1);
  EXPECT_FALSE(read.symmetric);
  EXPECT_TRUE(read.v2);
  EXPECT_TRUE(read.padded);
}

}  // namespace walsh::test
