// tokenizer.json made by hand: every component in its smallest form, and files that are not as required.
#include "io/tokenizer.h"

#include <gtest/gtest.h>

#include <ctime>

#include "base/json.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/temporary_folder.h"

namespace walsh {
namespace {

using Ids = std::vector<std::uint32_t>;

Tokenizer load(const Json& json, const Json& config = Json::object()) {
  const test::TemporaryFolder folder;
  folder.write("tokenizer.json", json.dump());
  folder.write("tokenizer_config.json", config.dump());
  return Tokenizer::load(folder.path());
}

std::string complaint(const Json& json, const Json& config = Json::object()) {
  try {
    load(json, config);
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "nothing refused";
}

void expect_refused(const Json& json, const std::string& part) {
  const std::string message = complaint(json);
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

// The pieces that the ids stand for, between bars.
std::string pieces(const Tokenizer& tokenizer, const std::string& text) {
  std::string out;
  for (const auto id : tokenizer.encode(text)) {
    out += '|';
    out += tokenizer.decode(Ids{id}, false);
  }
  return out;
}

// These words are tokens when the pre-tokenizer cuts them out whole, and bytes otherwise.
Json word_tokenizer(const std::vector<std::string>& words) {
  Json json = test::byte_tokenizer_json();
  std::uint32_t next = 300;
  for (const std::string& word : words) json["model"]["vocab"][word] = next++;
  json["model"]["ignore_merges"] = true;
  return json;
}

TEST(Tokenizer, MergesInTheOrderLearned) {
  const Tokenizer t = load(test::byte_tokenizer_json({{"b", "c"}, {"a", "b"}, {"a", "bc"}}));
  EXPECT_EQ(t.encode("abc"), Ids{258});  // b c first, then a bc
  EXPECT_EQ(t.encode("abab"), (Ids{257, 257}));
  EXPECT_EQ(t.encode("bcbc"), (Ids{256, 256}));
  EXPECT_EQ(t.decode(t.encode("abc bab c")), "abc bab c");
}

TEST(Tokenizer, MergesAsStrings) {
  Json json = test::byte_tokenizer_json({{"b", "c"}, {"a", "bc"}});
  json["model"]["merges"] = {"b c", "a bc"};
  EXPECT_EQ(load(json).encode("abc"), Ids{257});
}

TEST(Tokenizer, EqualPairsMergeFromTheLeft) {
  const Tokenizer t = load(test::byte_tokenizer_json({{"a", "a"}}));
  EXPECT_EQ(t.encode("aaa"), (Ids{256, test::byte_id('a')}));
}

TEST(Tokenizer, IgnoreMergesTakesWholeWords) {
  Json json = test::byte_tokenizer_json();
  json["model"]["vocab"]["abc"] = 300;
  EXPECT_EQ(load(json).encode("abc").size(), 3u);
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(load(json).encode("abc"), Ids{300});
}

TEST(Tokenizer, EveryByteComesBack) {
  const Tokenizer t = load(test::byte_tokenizer_json());
  const std::string text = "tab\t nul" + std::string(1, '\0') + " é 漢 🦙\r\n";
  EXPECT_EQ(t.encode(text).size(), text.size());
  EXPECT_EQ(t.decode(t.encode(text)), text);
}

TEST(Tokenizer, IllFormedTextIsReadAsReplacementCharacters) {
  const Tokenizer t = load(test::byte_tokenizer_json());
  EXPECT_EQ(t.decode(t.encode("a\xFFz\xE2\x82")), "a\uFFFDz\uFFFD");
  EXPECT_EQ(t.decode(Ids{0xE2, 0x82}), "\uFFFD");
  EXPECT_EQ(t.decode(Ids{0xE2, 0x82, 0xAC, 99999}), "€");
}

TEST(Tokenizer, AddedTokens) {
  Json json = test::byte_tokenizer_json({}, {"<a>", "<a><b>", "<left>", "<right>", "word"});
  json["added_tokens"][2]["lstrip"] = true;
  json["added_tokens"][3]["rstrip"] = true;
  json["added_tokens"][4]["single_word"] = true;
  json["added_tokens"][4]["special"] = false;
  const Tokenizer t = load(json);
  EXPECT_EQ(pieces(t, "x<a><b><a>y"), "|x|<a><b>|<a>|y");
  EXPECT_EQ(pieces(t, "x  <left> y"), "|x|<left>| |y");
  EXPECT_EQ(pieces(t, "x <right> \n y"), "|x| |<right>|y");
  EXPECT_EQ(pieces(t, "a word."), "|a| |word|.");
  EXPECT_EQ(pieces(t, "swordé wordy"), "|s|w|o|r|d|\uFFFD|\uFFFD| |w|o|r|d|y");
  EXPECT_EQ(t.encode("<a>word", false), (Ids{'<', 'a', '>', 260}));  // only special ones become plain text
  EXPECT_EQ(t.decode(t.encode("x<a>y word")), "xy word");
}

TEST(Tokenizer, AddedTokenInNormalisedText) {
  Json json = test::byte_tokenizer_json({}, {"éé"});
  json["normalizer"] = {{"type", "NFC"}};
  json["added_tokens"][0]["normalized"] = true;
  EXPECT_EQ(load(json).encode("e\u0301é"), Ids{256});
  json["added_tokens"][0]["normalized"] = false;
  EXPECT_EQ(load(json).encode("e\u0301é"), (Ids{0xC3, 0xA9, 0xC3, 0xA9}));
}

TEST(Tokenizer, SplitPatterns) {
  const auto split = [](const char* behavior, bool invert, const Json& pattern) {
    Json json = word_tokenizer({"aa", "--", "aa--", "--aa", "-aa"});
    json["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
    return pieces(load(json), "aa--aa");
  };
  const Json dash = {{"String", "-"}};
  EXPECT_EQ(split("Isolated", false, dash), "|aa|-|-|aa");
  EXPECT_EQ(split("Removed", false, dash), "|aa|aa");
  EXPECT_EQ(split("Removed", true, dash), "|-|-");
  EXPECT_EQ(split("Contiguous", false, dash), "|aa|--|aa");
  EXPECT_EQ(split("MergedWithPrevious", false, {{"Regex", "-+"}}), "|aa--|aa");
  EXPECT_EQ(split("MergedWithNext", false, {{"Regex", "-+"}}), "|aa|--aa");
  EXPECT_EQ(split("Isolated", false, {{"Regex", "(?=-)"}}), "|aa|-|-aa");
}

TEST(Tokenizer, DigitsByPosition) {
  Json json = word_tokenizer({"12"});
  const auto pre = [&](bool individual) {
    json["pre_tokenizer"] = {{"type", "Sequence"},
                             {"pretokenizers",
                              {{{"type", "Digits"}, {"individual_digits", individual}},
                               {{"type", "ByteLevel"}, {"add_prefix_space", false}}}}};
    return pieces(load(json), "x12y½");
  };
  EXPECT_EQ(pre(true), "|x|1|2|y|\uFFFD|\uFFFD");
  EXPECT_EQ(pre(false), "|x|12|y|\uFFFD|\uFFFD");
}

TEST(Tokenizer, PrefixSpace) {
  Json json = test::byte_tokenizer_json();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_EQ(load(json).encode("a"), (Ids{' ', 'a'}));
  EXPECT_EQ(load(json).encode(" a"), (Ids{' ', 'a'}));
  EXPECT_EQ(load(json).encode(""), Ids{});
}

// llama-2 as converted: a prefix, spaces as U+2581, bytes for what is not in the vocabulary.
Json sentencepiece_like() {
  Json vocabulary = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  for (int b = 0; b < 256; ++b) vocabulary[fmt::format("<0x{:02X}>", b)] = 3 + b;
  std::uint32_t next = 259;
  for (const char* piece : {"▁", "a", "b", "▁a", "ab", "▁ab"}) vocabulary[piece] = next++;
  return {{"added_tokens",
           {{{"id", 1}, {"content", "<s>"}, {"special", true}},
            {{"id", 2}, {"content", "</s>"}, {"special", true}}}},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "▁"}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
            {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}},
              {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
          {"model",
           {{"type", "BPE"},
            {"unk_token", "<unk>"},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"vocab", vocabulary},
            {"merges", {"a b", "▁ ab", "▁ a"}}}}};
}

TEST(Tokenizer, ByteFallback) {
  const Tokenizer t = load(sentencepiece_like());
  EXPECT_EQ(t.encode("ab a"), (Ids{264, 262}));
  EXPECT_EQ(t.encode("é"), (Ids{259, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(t.encode("a</s>b"), (Ids{262, 2, 259, 261}));
  for (const char* text : {"ab  a", "é漢", " a", "x\ny"}) EXPECT_EQ(t.decode(t.encode(text)), text);
  EXPECT_EQ(t.decode(Ids{3 + 0xC3, 260}), "\uFFFDa");
  EXPECT_EQ(t.bos_id(), 1u);
  EXPECT_TRUE(t.adds_bos());
  EXPECT_FALSE(load(sentencepiece_like(), {{"add_bos_token", false}}).adds_bos());
}

TEST(Tokenizer, UnknownCharacters) {
  Json json = sentencepiece_like();
  json["model"]["byte_fallback"] = false;
  EXPECT_EQ(load(json).encode("axyb"), (Ids{262, 0, 261}));
  json["model"]["fuse_unk"] = false;
  EXPECT_EQ(load(json).encode("axyb"), (Ids{262, 0, 0, 261}));
  json["model"].erase("unk_token");
  EXPECT_EQ(load(json).encode("axyb"), Ids{264});  // they vanish
}

TEST(Tokenizer, Metaspace) {
  Json json = sentencepiece_like();
  json["normalizer"] = nullptr;
  json["decoder"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}};
  const auto with = [&](const char* scheme) {
    json["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", true}};
    return load(json);
  };
  EXPECT_EQ(with("always").encode("ab</s>ab"), (Ids{264, 2, 264}));
  EXPECT_EQ(with("first").encode("ab</s>ab"), (Ids{264, 2, 263}));
  EXPECT_EQ(with("first").encode("ab", true, false), (Ids{263}));
  EXPECT_EQ(with("never").encode("ab ab"), (Ids{263, 264}));
  EXPECT_EQ(with("first").decode(Ids{264, 262, 262}), "ab a a");
}

TEST(Tokenizer, SpecialTokensFromTheFiles) {
  const Json json = test::byte_tokenizer_json({}, {"<|endoftext|>", "<|im_end|>", "<|begin|>"});
  const test::TemporaryFolder folder;
  folder.write("tokenizer.json", json.dump());
  folder.write("tokenizer_config.json",
               R"({"eos_token": {"content": "<|im_end|>"}, "bos_token": "<|begin|>"})");
  folder.write("generation_config.json", R"({"eos_token_id": [257, 256]})");
  folder.write("config.json", R"({"eos_token_id": 3})");
  const Tokenizer t = Tokenizer::load(folder.path());
  EXPECT_EQ(t.end_ids(), (Ids{257, 256, 3}));
  EXPECT_EQ(t.end_of_text(), 257u);
  EXPECT_EQ(t.bos_id(), 258u);
  EXPECT_FALSE(t.adds_bos());  // no post-processor puts it there
  EXPECT_EQ(t.vocabulary_size(), 259u);
  EXPECT_TRUE(load(json, {{"bos_token", "<|begin|>"}, {"add_bos_token", true}}).adds_bos());
  EXPECT_NE(complaint(json, {{"eos_token", "</s>"}}).find("\"</s>\" is not in"), std::string::npos);
}

// Joining a word is n log n in its length: a megabyte without a space takes moments.
TEST(Tokenizer, LongWords) {
  const Tokenizer t = load(test::byte_tokenizer_json({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}}));
  const std::clock_t start = std::clock();
  const std::string one(1 << 20, 'a');
  EXPECT_EQ(t.decode(t.encode(one)), one);
  EXPECT_EQ(t.encode(std::string(1 << 20, ' ')).size(), std::size_t{1} << 20);
  std::string marks = "a";
  for (int i = 0; i < 200000; ++i) marks += i % 2 ? "\u0301" : "\u0323";
  Json nfc = test::byte_tokenizer_json();
  nfc["normalizer"] = {{"type", "NFC"}};
  EXPECT_EQ(load(nfc).decode(load(nfc).encode(marks)).substr(0, 5), "\u1EA1\u0323");
  EXPECT_LT(std::clock() - start, 60 * CLOCKS_PER_SEC);  // quadratic work would take hours
}

TEST(Tokenizer, CostlyPatternIsRefused) {
  Json json = test::byte_tokenizer_json();
  json["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", "(a+)+$"}}}, {"behavior", "Isolated"}, {"invert", false}};
  const Tokenizer t = load(json);
  EXPECT_THROW(t.encode(std::string(4000, 'a') + "b"), Error);
}

TEST(Tokenizer, RefusesByName) {
  const auto changed = [](const Json::json_pointer& at, const Json& value) {
    Json json = test::byte_tokenizer_json();
    json[at] = value;
    return json;
  };
  using P = Json::json_pointer;
  expect_refused(Json::array(), "JSON object");
  expect_refused(Json::object(), "\"model\"");
  expect_refused(changed(P("/model/type"), "Unigram"), "\"Unigram\" is not supported");
  expect_refused(changed(P("/model/type"), 3), "\"type\"");
  expect_refused(changed(P("/model/vocab"), Json::array()), "\"vocab\"");
  expect_refused(changed(P("/model/vocab/a"), -1), "token \"a\"");
  expect_refused(changed(P("/model/vocab/a"), 4000000000u), "token \"a\"");
  expect_refused(changed(P("/model/vocab/a"), "x"), "token \"a\"");
  expect_refused(changed(P("/model/merges"), Json::object()), "\"merges\"");
  expect_refused(changed(P("/model/merges/0"), "ab"), "merge 0");
  expect_refused(changed(P("/model/merges/0"), Json::array({"a", "b"})), "not made of tokens");
  expect_refused(changed(P("/model/merges/0"), Json::array({"a", 1})), "merge 0");
  expect_refused(changed(P("/model/dropout"), 0.1), "dropout");
  expect_refused(changed(P("/model/end_of_word_suffix"), "</w>"), "end_of_word_suffix");
  expect_refused(changed(P("/model/unk_token"), "<unk>\n"), "\"<unk>\\x0a\"");
  expect_refused(changed(P("/model/byte_fallback"), true), "<0x00>");
  expect_refused(changed(P("/normalizer"), {{"type", "Precompiled"}}), "normalizer \"Precompiled\"");
  expect_refused(changed(P("/normalizer"), "NFC"), "normalizer must be an object");
  expect_refused(changed(P("/pre_tokenizer"), {{"type", "BertPreTokenizer"}}), "\"BertPreTokenizer\"");
  expect_refused(changed(P("/pre_tokenizer"), {{"type", "Sequence"}}), "\"pretokenizers\"");
  expect_refused(changed(P("/decoder"), {{"type", "WordPiece"}}), "decoder \"WordPiece\"");
  expect_refused(changed(P("/decoder"), {{"type", "Strip"}, {"content", ""}}), "Strip");
  expect_refused(changed(P("/post_processor"), {{"type", "BertProcessing"}}), "\"BertProcessing\"");
  expect_refused(changed(P("/added_tokens/0/id"), 4000000000u), "added token");
  expect_refused(changed(P("/added_tokens/0/content"), "a"), "the vocabulary says 97");
  expect_refused(changed(P("/added_tokens/0/content"), std::string(600, 'x')), "longer than 512");
  expect_refused(changed(P("/added_tokens"), 7), "\"added_tokens\"");
  for (const char* pattern : {"(", "[a&&b]", "\\C", "(?"}) {
    expect_refused(changed(P("/pre_tokenizer"),
                           {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}}),
                   "pattern");
  }
  Json deep = {{"type", "NFC"}};
  for (int i = 0; i < 50; ++i) deep = {{"type", "Sequence"}, {"normalizers", Json::array({deep})}};
  expect_refused(changed(P("/normalizer"), deep), "nested too deeply");
}

TEST(Tokenizer, RefusesFilesThatAreNone) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(Tokenizer::present(folder.path()));
  EXPECT_THROW(Tokenizer::load(folder.path()), Error);
  folder.write("tokenizer.model", "this is no protocol buffer");
  EXPECT_TRUE(Tokenizer::present(folder.path()));
  EXPECT_THROW(Tokenizer::load(folder.path()), Error);
  folder.write("tokenizer.model", "");
  EXPECT_THROW(Tokenizer::load(folder.path()), Error);
  folder.write("tokenizer.json", "{\"model\":");
  EXPECT_THROW(Tokenizer::load(folder.path()), Error);
}

}  // namespace
}  // namespace walsh
