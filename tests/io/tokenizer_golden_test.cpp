// Ids of real tokenizers, made by the reference implementations, for texts in many scripts.
#include <algorithm>
#include <iterator>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "io/tokenizer.h"
#include "tests/support/paths.h"
#include "tests/support/temporary_folder.h"

namespace walsh {
namespace {

using Ids = std::vector<std::uint32_t>;

void check_golden_tokens(const Tokenizer& tokenizer, const std::filesystem::path& path, bool parse_special) {
  std::istringstream lines(read_text(path));
  int cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    const Json golden = parse_json(line, path.string());
    const auto text = golden.at("text").get<std::string>();
    EXPECT_EQ(tokenizer.encode(text, parse_special), golden.at("ids").get<Ids>()) << text;
  }
  EXPECT_EQ(cases, 87);
}

class GoldenFiles : public testing::TestWithParam<const char*> {};

TEST_P(GoldenFiles, Agree) {
  const auto folder = test::shared_data() / GetParam();
  WALSH_NEEDS(folder);
  check_golden_tokens(Tokenizer::load(folder), folder / "golden_tokens.jsonl", true);
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, GoldenFiles,
                         testing::Values("models/stories260K", "tokenizers/gpt2", "tokenizers/smollm",
                                         "tokenizers/qwen3"),
                         [](const auto& info) {
                           return std::filesystem::path(info.param).filename().string();
                         });

// SentencePiece itself made these ids: it has no special tokens in text.
TEST(SentencePiece, OpenLlama) {
  const auto folder = test::shared_data() / "tokenizers/open-llama-3b";
  WALSH_NEEDS(folder);
  const Tokenizer tokenizer = Tokenizer::load(folder);
  check_golden_tokens(tokenizer, folder / "golden_tokens.jsonl", false);
  EXPECT_EQ(tokenizer.vocabulary_size(), 32000u);
  EXPECT_EQ(tokenizer.bos_id(), 1u);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.end_of_text(), 2u);
  EXPECT_EQ(tokenizer.encode("Hello</s>"), (Ids{16644, 2}));
  EXPECT_EQ(tokenizer.decode(Ids{1, 16644, 924, 2}), "Hello world");
  EXPECT_EQ(tokenizer.decode(Ids{1, 16644, 924, 2}, false), "<s>Hello world</s>");
  EXPECT_EQ(tokenizer.decode(Ids{16644, 4000000000u}), "Hello");
}

// tokenizer.model alone gives the ids of tokenizer.json, which wins where both are present.
TEST(SentencePiece, StoriesAgreesWithItsJson) {
  const auto folder = test::shared_data() / "models/stories260K";
  WALSH_NEEDS(folder);
  const test::TemporaryFolder copy;
  std::filesystem::copy(folder / "tokenizer.model", copy.path() / "tokenizer.model");
  const Tokenizer tokenizer = Tokenizer::load(copy.path());
  check_golden_tokens(tokenizer, folder / "golden_tokens.jsonl", false);
  const Tokenizer json = Tokenizer::load(folder);
  const std::string text = "Once upon a time,<s>there wäs 一 girl.</s>";
  EXPECT_EQ(tokenizer.encode(text), json.encode(text));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), "Once upon a time, there wäs 一 girl.");
}

// llama.cpp's cases: texts between separator lines, one line of ids each.
void check_ggml_cases(const char* tokenizer_folder, const char* cases_stem) {
  const auto folder = test::shared_data() / "tokenizers" / tokenizer_folder;
  const auto stem = (test::shared_data() / "tokenizers/ggml-vocab" / cases_stem).string();
  WALSH_NEEDS(folder);
  WALSH_NEEDS(std::filesystem::path(stem + ".inp"));
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string texts = read_text(stem + ".inp");
  std::istringstream lines(read_text(stem + ".out"));
  int cases = 0;
  std::size_t at = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    ASSERT_LE(at, texts.size());
    const auto end = std::min(texts.find(separator, at), texts.size());
    const std::string text = texts.substr(at, end - at);
    at = end + separator.size();
    std::istringstream numbers(line);
    const Ids ids{std::istream_iterator<std::uint32_t>(numbers), {}};
    EXPECT_EQ(tokenizer.encode(text), ids) << text;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
  EXPECT_EQ(cases, 46);
}

TEST(GgmlTokens, Gpt2) { check_ggml_cases("gpt2", "ggml-vocab-gpt-2.gguf"); }
TEST(GgmlTokens, Qwen2) { check_ggml_cases("qwen3", "ggml-vocab-qwen2.gguf"); }

TEST(GoldenTokens, SpecialTokensOfRealFolders) {
  const auto data = test::shared_data();
  WALSH_NEEDS(data / "tokenizers/qwen3");
  const Tokenizer qwen = Tokenizer::load(data / "tokenizers/qwen3");
  EXPECT_EQ(qwen.vocabulary_size(), 151669u);
  EXPECT_EQ(qwen.bos_id(), std::nullopt);
  EXPECT_FALSE(qwen.adds_bos());
  EXPECT_EQ(qwen.end_ids(), Ids{151645});
  EXPECT_THROW(qwen.check_vocabulary(151668), Error);
  qwen.check_vocabulary(151936);
  const Tokenizer stories = Tokenizer::load(data / "models/stories260K");
  EXPECT_EQ(stories.vocabulary_size(), 512u);
  EXPECT_EQ(stories.bos_id(), 1u);
  EXPECT_TRUE(stories.adds_bos());
  EXPECT_EQ(stories.end_ids(), Ids{2});
  EXPECT_EQ(stories.decode(stories.encode("Lily 你好 went")), "Lily 你好 went");
}

}  // namespace
}  // namespace walsh
