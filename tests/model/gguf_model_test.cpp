// GGUF files as models: weights, rows of q and k, configuration and tokenizer come out as they went in.
#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <limits>

#include "base/philox.h"
#include "io/chat_template.h"
#include "io/gguf_tokenizer.h"
#include "io/tokenizer.h"
#include "model/model_files.h"
#include "tests/support/gguf_model.h"
#include "tests/support/paths.h"
#include "tests/support/scratch.h"
#include "tests/support/tiny_model.h"

namespace walsh::test {
namespace {

/// Random blocks with scales of a plausible size.
std::vector<std::byte> random_blocks(GgmlType type, std::span<const float> values) {
  const GgmlFormat& format = format_of(type);
  if (format.weights == 1) return blocks_of(type, values);
  Philox random(values.size(), static_cast<std::uint64_t>(type));
  std::vector<std::byte> bytes(values.size() / format.weights * format.bytes);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
  const std::size_t scale = type == GgmlType::q6_k ? 208 : 0;
  for (std::size_t i = 0; i < bytes.size(); i += format.bytes)
    for (const std::size_t at : {scale, scale + 2})  // fp16 numbers of about 0.01
      if (at + 1 < format.bytes)
        bytes[i + at + 1] = static_cast<std::byte>(0x20 | (random.below(2) << 7) | random.below(4));
  return bytes;
}

Json config_of(const std::string& architecture, bool tied) {
  Json json = tiny_config(architecture);
  json["hidden_size"] = 256;
  json["head_dim"] = 64;
  json["intermediate_size"] = 512;
  json["tie_word_embeddings"] = tied;
  return json;
}

}  // namespace

class GgufModel : public testing::TestWithParam<const char*> {
 protected:
  ScratchFolder scratch_;
};

TEST_P(GgufModel, DenseWeightsAreThoseOfTheModel) {
  for (const bool tied : {false, true}) {
    Json json = config_of(GetParam(), tied);
    json["attention_bias"] = true;
    const LivelySource source(json, 3);
    write_gguf_model(scratch_ / "m.gguf", source, GgmlType::f32, GgmlType::f32);
    const auto model = open_model(scratch_ / "m.gguf");
    EXPECT_EQ(model->format().bits, 0u);
    EXPECT_EQ(model->format().dense, DType::f32);
    EXPECT_EQ(model->note(), "");
    EXPECT_EQ(model->config().architecture, source.config().architecture);
    EXPECT_EQ(model->config().context, source.config().context);
    EXPECT_EQ(model->config().rms_eps, source.config().rms_eps);
    EXPECT_EQ(inverse_frequencies(model->config()), inverse_frequencies(source.config()));
    const auto weights = list_weights(source.config());
    ASSERT_EQ(list_weights(model->config()).size(), weights.size());
    for (const WeightInfo& w : weights) {
      EXPECT_EQ(read_floats(*model, w), read_floats(source, w)) << w.name;
      EXPECT_EQ(model->rows(w, 1, 2), source.rows(w, 1, 2)) << w.name;
    }
    // What config.json would say of it is the same model.
    const ModelConfig again = parse_config(Json::parse(config_text(scratch_ / "m.gguf")), "config.json");
    EXPECT_EQ(list_weights(again).size(), weights.size());
  }
}

TEST_P(GgufModel, CodesKeepTheValuesOfTheirBlocks) {
  const LivelySource source(config_of(GetParam(), true), 4);
  for (const GgmlType type :
       {GgmlType::q4_0, GgmlType::q4_1, GgmlType::q5_0, GgmlType::q5_1, GgmlType::q8_0}) {
    const std::string name(format_of(type).name);
    write_gguf_model(scratch_ / (name + ".gguf"), source, type, GgmlType::f16, {}, random_blocks);
    const auto model = open_model(scratch_ / (name + ".gguf"));
    EXPECT_EQ(model->format().bits, type == GgmlType::q4_0 || type == GgmlType::q4_1 ? 4u : 8u);
    EXPECT_EQ(model->format().offset, type == GgmlType::q4_1 || type == GgmlType::q5_1);
    EXPECT_TRUE(one_line_with(model->note(), "(" + name + ") keep their values"));
    for (const WeightInfo& w : list_weights(source.config())) {
      if (w.kind != WeightKind::linear || w.layer != 1) continue;
      const auto rows = static_cast<std::uint32_t>(w.shape[0]),
                 columns = static_cast<std::uint32_t>(w.shape[1]);
      const QuantizedMatrix q = model->quantized(w.name.substr(0, w.name.rfind('.')), rows, columns);
      const auto expected = read_floats(*model, w);  // by ggml_blocks' own dequantisation
      for (std::uint32_t i = 0; i < rows; ++i)
        for (std::uint32_t j = 0; j < columns; ++j)
          ASSERT_EQ(q.weight(i, j), expected[std::size_t{i} * columns + j])
              << name << " " << w.name << " " << i;
    }
  }
}

TEST_P(GgufModel, BlocksOfBlocksBecomeSixteenBits) {
  const LivelySource source(config_of(GetParam(), true), 5);
  for (const GgmlType type : {GgmlType::q4_k, GgmlType::q5_k, GgmlType::q6_k}) {
    write_gguf_model(scratch_ / "k.gguf", source, type, GgmlType::q8_0, {}, random_blocks);
    const auto model = open_model(scratch_ / "k.gguf");
    EXPECT_EQ(model->format().bits, 0u);
    EXPECT_EQ(model->format().dense, DType::f16);
    EXPECT_TRUE(one_line_with(model->note(), "become f16 at load"));
    EXPECT_TRUE(one_line_with(model->note(), "embedding or head (Q8_0) become f16"));
    const WeightInfo up = find_weight(source.config(), "model.layers.0.mlp.up_proj.weight");
    const auto file = Gguf::open(scratch_ / "k.gguf");
    EXPECT_EQ(model->read(up, DType::f16),
              to_bytes(to_floats(file.at("blk.0.ffn_up.weight"), 0, 512), DType::f16));
    EXPECT_THROW(model->quantized("model.layers.0.mlp.up_proj", 512, 256), Error);
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, GgufModel, testing::Values("llama", "qwen2", "qwen3"),
                         [](const auto& info) { return std::string(info.param); });

TEST(GgufConfig, FrequencyFactorsGiveTheSameFrequencies) {
  const ScratchFolder scratch;
  Json json = tiny_config();
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 32}};
  const ModelConfig config = parse_config(json, "test");
  ModelConfig with_factors = parse_config(tiny_config(), "test");
  with_factors.rope.factors = frequency_factors(config);
  EXPECT_EQ(inverse_frequencies(with_factors), inverse_frequencies(config));
  EXPECT_NE(with_factors.rope.factors, std::vector<float>(8, 1.0f));
}

TEST(GgufConfig, RefusesWhatItDoesNotRead) {
  const ScratchFolder scratch;
  const LivelySource source(tiny_config(), 1);
  const auto refusal_with = [&](const GgufValue& value) {
    write_gguf_model(scratch / "m.gguf", source, GgmlType::f32, GgmlType::f32, {value});
    return refusal_of([&] { open_model(scratch / "m.gguf"); });
  };
  EXPECT_EQ(refusal_with(gguf_text("general.name", "a name")), "");
  EXPECT_TRUE(one_line_with(refusal_with(gguf_count("llama.expert_count", 8)), "mixture of experts"));
  EXPECT_TRUE(one_line_with(refusal_with(gguf_text("llama.rope.scaling.type", "yarn")), "\"yarn\""));
  EXPECT_TRUE(one_line_with(refusal_with(gguf_count("general.alignment", 3)), "alignment"));
  write_gguf_model(scratch / "m.gguf", source, GgmlType::f32, GgmlType::f32);
  std::string text = read_text(scratch / "m.gguf");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string copy = text;
    copy.replace(copy.find(from), from.size(), to);
    write_file(scratch / "c.gguf", copy);
    return refusal_of([&] { open_model(scratch / "c.gguf"); });
  };
  EXPECT_TRUE(
      one_line_with(changed("general.architecture", "general.architectura"), "no \"general.architecture\""));
  EXPECT_TRUE(
      one_line_with(changed("blk.1.ffn_up.weight", "blk.1.ffn_op.weight"), "blk.1.ffn_up.weight is missing"));
  EXPECT_TRUE(
      one_line_with(changed("llama.block_count", "llama.block_cound"), "llama.block_count\" is missing"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { Tokenizer::load(scratch / "m.gguf"); }), "no tokenizer"));
  EXPECT_FALSE(Tokenizer::present(scratch / "m.gguf"));
}

namespace {

/// A file of a tokenizer alone.
Tokenizer through_gguf(const std::filesystem::path& folder, std::uint32_t rows,
                       const std::filesystem::path& path) {
  const auto values = tokenizer_values(folder, rows);
  GgufWriter(path, values, {}).publish();
  return Tokenizer::load(path);
}

void expect_same(const Tokenizer& a, const Tokenizer& b, std::string_view text) {
  for (const bool special : {true, false}) {
    const auto ids = a.encode(text, special);
    EXPECT_EQ(b.encode(text, special), ids);
    EXPECT_EQ(b.decode(ids, false), a.decode(ids, false));
  }
  EXPECT_EQ(a.bos_id(), b.bos_id());
  EXPECT_EQ(a.adds_bos(), b.adds_bos());
  EXPECT_EQ(a.end_ids(), b.end_ids());
}

const char* const every_kind =
    "There was once a mouse called Tilly.<|endoftext|></s> It's 12345 o'clock,\n\n  caf\u00e9 \u4f60\u597d "
    "\t\u2603!";

}  // namespace

namespace {

/// `values` with one to three entries gone or given something else, of any type.
std::vector<GgufValue> damaged(std::vector<GgufValue> values, Philox& random) {
  const auto eight_bytes = [](GgufType type, std::uint64_t value) {
    return GgufValue{"", type, {reinterpret_cast<const char*>(&value), 8}};
  };
  for (std::uint32_t times = 1 + random.below(3); times > 0; --times) {
    const std::uint32_t at = random.below(static_cast<std::uint32_t>(values.size()));
    const std::string key = values[at].key;
    const std::uint32_t number = random.next();
    const std::string texts[] = {"a", std::string(1, static_cast<char>(number)), "\u0120the", "a b c"};
    const float reals[] = {0.0f, -1e38f, std::numeric_limits<float>::quiet_NaN()};
    const std::int32_t integers[] = {-1, 0, static_cast<std::int32_t>(number)};
    switch (random.below(10)) {
      case 0:
        values.erase(values.begin() + at);
        continue;
      case 1:
        values[at] = gguf_count(key, number >> random.below(32));
        continue;
      case 2:
        values[at] = gguf_real(key, std::bit_cast<float>(number));
        continue;
      case 3:
        values[at] = gguf_text(key, std::string(random.below(5), static_cast<char>(number)));
        continue;
      case 4:
        values[at] = gguf_flag(key, number % 2 == 0);
        continue;
      case 5:
        values[at] = gguf_texts(key, texts);
        continue;
      case 6:
        values[at] = gguf_reals(key, reals);
        continue;
      case 7:
        values[at] = gguf_integers(key, integers);
        continue;
      case 8:
        values[at] = eight_bytes(number % 2 == 0 ? GgufType::i64 : GgufType::u64,
                                 ~std::uint64_t{0} >> random.below(64));
        values[at].key = key;
        continue;
      default:  // a byte of the value as it is
        if (!values[at].bytes.empty())
          values[at].bytes[random.below(static_cast<std::uint32_t>(values[at].bytes.size()))] =
              static_cast<char>(number);
    }
  }
  return values;
}

/// Rounds in which `read` of a damaged file refused; it may do nothing else but succeed.
std::size_t refusals(const std::vector<GgufValue>& values, std::span<const GgufTensorInfo> tensors,
                     std::uint64_t seed, const std::function<void(const std::filesystem::path&)>& read) {
  const ScratchFolder scratch;
  Philox random(seed, 0);
  std::size_t refused = 0;
  for (int round = 0; round < 200; ++round) {
    GgufWriter writer(scratch / "d.gguf", damaged(values, random), tensors);
    for (const GgufTensorInfo& tensor : tensors) {
      std::uint64_t weights = 1;
      for (const std::uint64_t extent : tensor.shape) weights *= extent;
      writer.append(tensor.name, std::vector<std::byte>(weights * 4));
    }
    writer.publish();
    const std::string message = refusal_of([&] { read(scratch / "d.gguf"); });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    refused += !message.empty();
  }
  return refused;
}

}  // namespace

// Metadata of any type and value, under keys that a configuration reads.
TEST(GgufConfig, HostileMetadataIsReadOrRefused) {
  for (const char* architecture : {"llama", "qwen3"}) {
    Json json = tiny_config(architecture);
    json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 2.0}};
    const ModelConfig config = parse_config(json, "test");
    std::vector<GgufValue> values = config_values(config);
    const std::string prefix = std::string(architecture) + ".";
    values.push_back(gguf_count(prefix + "attention.sliding_window", 0));
    values.push_back(gguf_count(prefix + "expert_count", 0));
    std::vector<GgufTensorInfo> tensors;
    for (const WeightInfo& w : list_weights(config))
      tensors.push_back({gguf_name(w.name), GgmlType::f32, w.shape});
    const std::size_t refused = refusals(values, tensors, 6, [](const std::filesystem::path& path) {
      const auto model = open_model(path);
      model->read(list_weights(model->config()).back(), DType::f32);
      config_text(path);
    });
    EXPECT_GT(refused, 50u);
    EXPECT_LT(refused, 200u);
  }
}

TEST(GgufTokenizer, HostileMetadataIsReadOrRefused) {
  auto values = tokenizer_values(source_dir() / "models/walsh-tiny", 1024);
  values.push_back(
      gguf_text("tokenizer.chat_template", "{% for m in messages %}{{ m['content'] }}{% endfor %}"));
  const std::size_t refused = refusals(values, {}, 7, [](const std::filesystem::path& path) {
    const Tokenizer tokenizer = Tokenizer::load(path);
    tokenizer.decode(tokenizer.encode(every_kind), false);
  });
  EXPECT_GT(refused, 50u);
  EXPECT_LT(refused, 200u);
}

TEST(GgufTokenizer, TheShippedModelsIsTheSameThroughAFile) {
  const ScratchFolder scratch;
  const auto folder = source_dir() / "models/walsh-tiny";
  const Tokenizer through = through_gguf(folder, 1100, scratch / "t.gguf");
  expect_same(Tokenizer::load(folder), through, every_kind);
  EXPECT_EQ(Gguf::open(scratch / "t.gguf").text("tokenizer.ggml.pre"), "gpt-2");
  EXPECT_EQ(Gguf::open(scratch / "t.gguf").texts("tokenizer.ggml.tokens")->size(), 1100u);
  EXPECT_EQ(through.vocabulary_size(), 1024u);
}

TEST(GgufTokenizer, RealOnesAreTheSameThroughAFile) {
  const ScratchFolder scratch;
  // SentencePiece and what was made of it for a tokenizer.json see spaces beside special tokens differently.
  const std::string plain = std::string(every_kind).replace(std::string(every_kind).find("<|"), 17, "");
  for (const auto& [name, text] : {std::pair<const char*, std::string>{"models/stories260K", plain},
                                   {"tokenizers/open-llama-3b", plain},
                                   {"tokenizers/smollm", every_kind},
                                   {"tokenizers/qwen3", every_kind}}) {
    const auto folder = shared_data() / name;
    WALSH_NEEDS(folder);
    SCOPED_TRACE(name);
    const Tokenizer tokenizer = Tokenizer::load(folder);
    const std::string file = std::filesystem::path(name).filename().string() + ".gguf";
    expect_same(tokenizer, through_gguf(folder, tokenizer.vocabulary_size(), scratch / file), text);
  }
}

TEST(GgufTokenizer, AFileOfAnotherMakerAgreesWithItsFolder) {
  const auto data = shared_data() / "tokenizers";
  WALSH_NEEDS(data / "ggml-vocab/ggml-vocab-gpt-2.gguf");
  const Tokenizer folder = Tokenizer::load(data / "gpt2");
  const Tokenizer file = Tokenizer::load(data / "ggml-vocab/ggml-vocab-gpt-2.gguf");
  EXPECT_EQ(file.encode(every_kind), folder.encode(every_kind));
  EXPECT_EQ(file.vocabulary_size(), folder.vocabulary_size());
}

TEST(GgufTokenizer, TheChatTemplateComesAlong) {
  const ScratchFolder scratch;
  const auto folder = shared_data() / "tokenizers/qwen3";
  WALSH_NEEDS(folder);
  through_gguf(folder, 151936, scratch / "t.gguf");
  const Message conversation[] = {{"user", "Hello"}, {"assistant", "Hi"}};
  EXPECT_EQ(ChatTemplate::load(scratch / "t.gguf").render(conversation, true),
            ChatTemplate::load(folder).render(conversation, true));
}

TEST(GgufTokenizer, RefusesDamagedMetadata) {
  const ScratchFolder scratch;
  const auto values = tokenizer_values(source_dir() / "models/walsh-tiny", 1024);
  const auto refusal_with = [&](const GgufValue& value) {
    std::vector<GgufValue> changed = values;
    for (GgufValue& old : changed)
      if (old.key == value.key) old = value;
    GgufWriter(scratch / "t.gguf", changed, {}).publish();
    return refusal_of([&] { Tokenizer::load(scratch / "t.gguf"); });
  };
  const std::string key = "tokenizer.ggml.";
  const std::int32_t types[] = {1, 2};
  const std::string twice[] = {"a", "a"}, broken[] = {"a", "\xff"}, merges[] = {"no space"};
  EXPECT_TRUE(one_line_with(refusal_with(gguf_text(key + "model", "bert")), "\"bert\" is not supported"));
  EXPECT_TRUE(one_line_with(refusal_with(gguf_text(key + "pre", "tekken")), "\"tekken\" is not known"));
  EXPECT_TRUE(
      one_line_with(refusal_with(gguf_integers(key + "token_type", types)), "2 token types for 1024"));
  EXPECT_TRUE(one_line_with(refusal_with(gguf_texts(key + "tokens", {})), "no \"tokenizer.ggml.tokens\""));
  EXPECT_TRUE(one_line_with(refusal_with(gguf_texts(key + "merges", merges)), "merge 0"));
  EXPECT_TRUE(
      one_line_with(refusal_with(gguf_count(key + "eos_token_id", 5000)), "is 5000, but there are 1024"));
  GgufWriter(scratch / "u.gguf",
             std::vector{gguf_text(key + "model", "gpt2"), gguf_texts(key + "tokens", twice)}, {})
      .publish();
  EXPECT_TRUE(one_line_with(refusal_of([&] { Tokenizer::load(scratch / "u.gguf"); }), "is there twice"));
  GgufWriter(scratch / "v.gguf",
             std::vector{gguf_text(key + "model", "gpt2"), gguf_texts(key + "tokens", broken)}, {})
      .publish();
  EXPECT_TRUE(one_line_with(refusal_of([&] { Tokenizer::load(scratch / "v.gguf"); }), "is not UTF-8"));
}

}  // namespace walsh::test
