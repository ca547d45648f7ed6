// Bit layouts against packing.json: streams, nibbles, GPTQ tensors, GGUF blocks.
#include "tensor/packing.h"
#include "io/ggml_blocks.h"
#include "io/gptq.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

void compare_stream(const VectorCase& c) {
  const auto bits = c.param<std::uint32_t>("bits");
  const auto codes = c.input("codes").as<std::uint8_t>();
  const auto words = pack_codes(codes, bits);
  c.compare("words", words);
  std::vector<std::uint8_t> back(codes.size());
  unpack_codes(words, bits, back);
  EXPECT_EQ(back, codes) << c.name;
}

void compare_nibbles(const VectorCase& c) {
  const auto codes = c.input("codes").as<std::int8_t>();
  const auto bytes = pack_nibbles(codes);
  c.compare("bytes", bytes);
  std::vector<std::int8_t> back(codes.size());
  unpack_nibbles(bytes, back);
  EXPECT_EQ(back, codes) << c.name;
}

void compare_gptq(const VectorCase& c) {
  const auto bits = c.param<std::uint32_t>("bits");
  const auto codes = c.input("codes").as<std::uint8_t>();
  QuantizedMatrix q{.rows = c.param<std::uint32_t>("m"),
                    .columns = c.param<std::uint32_t>("n"),
                    .bits = bits,
                    .group_size = c.param<std::uint32_t>("group_size"),
                    .codes = {},
                    .grid = {}};
  for (std::size_t row = 0; row < q.rows; ++row)
    for (const std::uint32_t word : pack_codes(std::span(codes).subspan(row * q.columns, q.columns), bits))
      q.codes.push_back(word);
  const auto zeros = c.input("zeros").as<std::uint32_t>();
  for (const std::uint32_t zero : zeros) q.grid.push_back(grid_word(float_to_f16(0.5f), zero));

  QuantizationConfig config{.bits = bits, .group_size = static_cast<int>(q.group_size)};
  const GptqLayer v2 = to_gptq(q, config, c.name);
  c.compare("qweight", v2.qweight);
  c.compare("qzeros_v2", v2.qzeros);
  // v1 cannot hold a zero of 0: it wraps to the largest code there, and walsh refuses it.
  config.v2 = false;
  if (std::ranges::find(zeros, 0u) == zeros.end())
    c.compare("qzeros_v1", to_gptq(q, config, c.name).qzeros);
  else
    EXPECT_THROW(to_gptq(q, config, c.name), Error) << c.name;

  if (!c.expects("row0_pad3")) return;
  std::vector<std::uint8_t> row(q.columns);
  unpack_codes_ten_a_word(c.expected("row0_pad3").as<std::uint32_t>(), row);
  EXPECT_TRUE(std::ranges::equal(row, std::span(codes).first(q.columns))) << c.name;
}

void compare_gguf(const VectorCase& c) {
  const GgmlType type = c.expected("bytes").data.size() == 18 ? GgmlType::q4_0 : GgmlType::q4_1;
  GgmlCodes codes{.d_f16 = float_to_f16(c.param<float>("d"))};
  std::ranges::copy(c.input("codes").as<std::uint8_t>(), codes.codes.begin());
  if (type == GgmlType::q4_1) codes.m_f16 = float_to_f16(c.param<float>("m"));
  std::vector<std::uint8_t> block(format_of(type).bytes);
  write_codes(type, codes, std::as_writable_bytes(std::span(block)));
  c.compare("bytes", block);
  std::vector<float> weights(32);
  dequantize(type, std::as_bytes(std::span(block)), weights);
  c.compare("dequant", weights);
}

}  // namespace

TEST(vectors, packing) {
  WALSH_NEEDS_VECTORS("packing");
  VectorReport report;
  for (const VectorCase& c : load_vectors("packing")) {
    if (c.kind == "pack_stream")
      compare_stream(c);
    else if (c.kind == "pack_nibbles")
      compare_nibbles(c);
    else if (c.kind == "gptq_pack")
      compare_gptq(c);
    else if (c.kind == "gguf_block")
      compare_gguf(c);
    else
      continue;
    report.compared();
  }
}

}  // namespace walsh::test
