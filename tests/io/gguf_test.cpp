// GGUF files: what is written is read back, blocks hold what another implementation says, damaged files are
// refused.
#include "io/gguf.h"

#include <cmath>
#include <cstring>
#include <fstream>

#include "base/json.h"
#include "base/philox.h"
#include "io/gguf_writer.h"
#include "tests/support/paths.h"
#include "tests/support/scratch.h"

namespace walsh::test {
namespace {

std::vector<std::byte> bytes_of_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

/// A file of a few entries of every kind and two tensors.
std::filesystem::path write_small(const std::filesystem::path& path) {
  const std::string names[] = {"a", "", "Ġthe"};
  const float scores[] = {0.5f, -1.0f};
  const std::int32_t types[] = {1, 3, 6};
  const GgufValue values[] = {gguf_text("general.architecture", "llama"),
                              gguf_count("llama.block_count", 2),
                              gguf_real("eps", 1e-5f),
                              gguf_flag("yes", true),
                              gguf_texts("names", names),
                              gguf_reals("scores", scores),
                              gguf_integers("types", types)};
  const GgufTensorInfo tensors[] = {{"f", GgmlType::f32, {5}}, {"q", GgmlType::q4_1, {2, 64}}};
  GgufWriter writer(path, values, tensors);
  const float f[] = {1, 2, 3, 4, 5};
  std::vector<std::byte> q(2 * 2 * 20);
  for (std::size_t i = 0; i < q.size(); ++i) q[i] = static_cast<std::byte>(i);
  writer.append("q", std::span(q).first(40));
  writer.append("f", std::as_bytes(std::span(f)));
  writer.append("q", std::span(q).subspan(40));
  writer.publish();
  return path;
}

std::string refusal_of_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return refusal_of([&] { Gguf::open(path); });
}

}  // namespace

TEST(GgmlBlocks, AgreeWithTheGolden) {
  const Json golden = read_json(source_dir() / "tests/goldens/ggml_blocks.json");
  for (const Json& json : golden.at("cases")) {
    const GgmlFormat* format = find_ggml_format(json.at("type").get<std::string>());
    ASSERT_NE(format, nullptr) << json.at("type");
    const auto blocks = bytes_of_hex(json.at("bytes"));
    const auto expected = json.at("weights").get<std::vector<std::uint32_t>>();
    std::vector<float> weights(expected.size());
    dequantize(format->type, blocks, weights);
    for (std::size_t i = 0; i < weights.size(); ++i)
      ASSERT_EQ(weights[i], std::bit_cast<float>(expected[i])) << format->name << " weight " << i;
  }
  EXPECT_EQ(golden.at("cases").size(), 8u);
}

TEST(GgmlBlocks, WritingIsUndoneByReading) {
  Philox random(3, 0);
  for (const GgmlType type : {GgmlType::q4_0, GgmlType::q4_1, GgmlType::q8_0}) {
    GgmlCodes codes{.d_f16 = 0x1234};
    if (type == GgmlType::q4_1) codes.m_f16 = 0x5678;
    for (std::uint8_t& code : codes.codes)
      code = static_cast<std::uint8_t>(random.below(type == GgmlType::q8_0 ? 256 : 16));
    std::vector<std::byte> block(format_of(type).bytes);
    write_codes(type, codes, block);
    const GgmlCodes read = read_codes(type, block);
    EXPECT_EQ(read.codes, codes.codes);
    EXPECT_EQ(read.d_f16, codes.d_f16);
    EXPECT_EQ(read.m_f16, codes.m_f16);
  }
}

TEST(GgmlBlocks, EightBitsLoseAtMostHalfAStep) {
  Philox random(4, 0);
  std::array<float, 32> weights, back;
  std::array<std::byte, 34> block;
  float largest = 0;
  for (float& w : weights) largest = std::max(largest, std::abs(w = random.normal()));
  write_codes(GgmlType::q8_0, quantize_q8_0(weights), block);
  dequantize(GgmlType::q8_0, block, back);
  // Half a step, and what rounding the step to fp16 clips off the largest weight.
  for (std::size_t i = 0; i < 32; ++i)
    EXPECT_NEAR(back[i], weights[i], largest / 127 * 0.5 + largest * 0x1p-11);
  weights.fill(0);
  write_codes(GgmlType::q8_0, quantize_q8_0(weights), block);
  dequantize(GgmlType::q8_0, block, back);
  EXPECT_EQ(back, weights);
}

TEST(Gguf, WhatIsWrittenIsRead) {
  const ScratchFolder folder;
  const Gguf file = Gguf::open(write_small(folder / "x.gguf"));
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.count("llama.block_count"), 2u);
  EXPECT_EQ(file.real("eps"), static_cast<double>(1e-5f));
  EXPECT_EQ(file.flag("yes"), true);
  EXPECT_EQ(file.texts("names"), (std::vector<std::string>{"a", "", "Ġthe"}));
  EXPECT_EQ(file.reals("scores"), (std::vector<float>{0.5f, -1.0f}));
  EXPECT_EQ(file.integers("types"), (std::vector<std::int64_t>{1, 3, 6}));
  EXPECT_EQ(file.text("absent"), std::nullopt);
  EXPECT_EQ(to_floats(file.at("f"), 0, 5), (std::vector<float>{1, 2, 3, 4, 5}));
  const GgufTensor& q = file.at("q");
  EXPECT_EQ(q.shape, (std::vector<std::uint64_t>{2, 64}));
  EXPECT_EQ(q.bytes.size(), 80u);
  for (std::size_t i = 0; i < 80; ++i) EXPECT_EQ(q.bytes[i], static_cast<std::byte>(i));
  const auto all = to_floats(q, 0, 2), second = to_floats(q, 1, 1);
  EXPECT_EQ(std::vector<float>(all.begin() + 64, all.end()), second);
  EXPECT_TRUE(one_line_with(refusal_of([&] { file.count("eps"); }), "\"eps\" is not a whole number"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { file.text("yes"); }), "\"yes\" is not a text"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { file.texts("scores"); }), "not a list of texts"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { file.at("absent"); }), "tensor absent is missing"));

  // Entries and tensors of another file are copied as they are.
  std::vector<GgufValue> values;
  for (const GgufEntry& entry : file.entries()) values.push_back(gguf_copy(entry));
  const GgufTensorInfo infos[] = {{"f", GgmlType::f32, {5}}, {"q", GgmlType::q4_1, {2, 64}}};
  GgufWriter writer(folder / "y.gguf", values, infos);
  for (const GgufTensor& tensor : file.tensors()) writer.append(tensor.name, tensor.bytes);
  writer.publish();
  EXPECT_EQ(read_text(folder / "y.gguf"), read_text(folder / "x.gguf"));
}

TEST(Gguf, AFileCutShortAnywhereIsRefused) {
  const ScratchFolder folder;
  const std::string text = read_text(write_small(folder / "x.gguf"));
  const auto bytes = std::as_bytes(std::span(text));
  // The last tensor's data end before the file's padding does.
  for (std::size_t length = 0; length + 32 <= bytes.size(); ++length) {
    const std::string message = refusal_of_file(folder / "cut.gguf", bytes.first(length));
    ASSERT_TRUE(one_line_with(message, "cut.gguf")) << length << " of " << bytes.size();
  }
}

TEST(Gguf, DamagedHeadersAreRefused) {
  const ScratchFolder folder;
  const std::string text = read_text(write_small(folder / "x.gguf"));
  const auto path = folder / "damaged.gguf";
  const auto damaged = [&](std::size_t at, const auto& value) {
    std::string copy = text;
    std::memcpy(copy.data() + at, &value, sizeof(value));
    return refusal_of_file(path, std::as_bytes(std::span(copy)));
  };
  const std::uint64_t huge = ~std::uint64_t{0};
  EXPECT_TRUE(one_line_with(damaged(0, 'X'), "not a GGUF file"));
  EXPECT_TRUE(one_line_with(damaged(4, 99), "version 99, expected 2 or 3"));
  EXPECT_TRUE(one_line_with(damaged(8, huge), "tensors in"));
  EXPECT_TRUE(one_line_with(damaged(16, huge), "metadata entries in"));
  EXPECT_TRUE(one_line_with(damaged(24, huge), "cut short"));
  const std::size_t names = text.find("names") + 5;  // type, element type, count
  EXPECT_TRUE(one_line_with(damaged(names, 77), "metadata type 77"));
  EXPECT_TRUE(one_line_with(damaged(names + 4, 9), "array of arrays"));
  EXPECT_TRUE(one_line_with(damaged(names + 8, huge), "an array of"));
  EXPECT_TRUE(one_line_with(damaged(text.find("eps"), std::array{'y', 'e', 's'}), "is there twice"));
  const std::size_t f = text.find("f", text.find("types") + 40) + 1;  // dimensions, extent, type, offset
  EXPECT_TRUE(one_line_with(damaged(f, 5), "5 dimensions"));
  EXPECT_TRUE(one_line_with(damaged(f + 4, std::uint64_t{0}), "a dimension of 0"));
  EXPECT_TRUE(one_line_with(damaged(f + 4, huge), "not plausible"));
  EXPECT_TRUE(one_line_with(damaged(f + 4, std::uint64_t{1} << 40), "beyond the file's"));
  EXPECT_TRUE(one_line_with(damaged(f + 12, 16), "tensor type 16 is not supported; F32 F16 Q4_0"));
  EXPECT_TRUE(one_line_with(damaged(f + 12, 12), "not whole blocks of 256 (Q4_K)"));
  EXPECT_TRUE(one_line_with(damaged(f + 16, std::uint64_t{3}), "offset 3 is not a multiple of 32"));
  EXPECT_TRUE(one_line_with(damaged(f + 16, std::uint64_t{32}), "overlaps"));
  EXPECT_TRUE(one_line_with(damaged(f + 16, huge - 31), "beyond the file's"));
}

TEST(Gguf, ARandomlyDamagedFileIsReadOrRefused) {
  const ScratchFolder folder;
  const std::string text = read_text(write_small(folder / "x.gguf"));
  Philox random(5, 0);
  std::size_t refused = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string copy = text;
    for (std::uint32_t i = 0; i <= random.below(3); ++i)
      copy[random.below(static_cast<std::uint32_t>(copy.size()))] = static_cast<char>(random.below(256));
    const std::string message = refusal_of_file(folder / "d.gguf", std::as_bytes(std::span(copy)));
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    refused += !message.empty();
  }
  EXPECT_GT(refused, 100u);
}

}  // namespace walsh::test
