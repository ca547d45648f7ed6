// Data files of every form, with a byte tokenizer whose ids are the bytes, 256 the end of text and 257 the
// beginning.
#include "data/datasets.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/paths.h"

namespace walsh {
namespace {

using Ids = std::vector<std::uint32_t>;
constexpr std::uint32_t end_of_text = 256;
constexpr std::uint32_t beginning = 257;

class DatasetTest : public testing::Test {
 protected:
  DatasetTest() { write_model({{"eos_token", "<|endoftext|>"}}); }

  void write_model(const Json& config) {
    model_.write(
        "tokenizer.json",
        test::byte_tokenizer_json({}, {"<|endoftext|>", "<s>", "<|im_start|>", "<|im_end|>"}).dump());
    model_.write("tokenizer_config.json", config.dump());
  }

  Dataset load(const std::string& name, std::string_view text, std::uint32_t vocabulary = 260) {
    TextEncoder encoder(model_.path(), vocabulary);
    return load_dataset(data_.write(name, text), "train", encoder);
  }

  std::string complaint(const std::string& name, std::string_view text) {
    try {
      load(name, text);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "nothing refused";
  }

  void expect_refused(const std::string& name, std::string_view text, const std::string& part) {
    const auto message = complaint(name, text);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  // A document with its predicted tokens in brackets; E is the end of text, B the beginning.
  static std::string shown(const Document& document) {
    std::string out;
    bool inside = false;
    for (std::size_t i = 0; i < document.ids.size(); ++i) {
      if (document.trained[i] != inside) out += inside ? ']' : '[';
      inside = document.trained[i];
      const auto id = document.ids[i];
      out += id == end_of_text ? 'E'
             : id == beginning ? 'B'
             : id < 256        ? static_cast<char>(id)
             : id == 258       ? '<'
                               : '>';
    }
    if (inside) out += ']';
    return out;
  }

  std::string first(std::string_view row) { return shown(load("rows.jsonl", row).documents.at(0)); }

  test::TemporaryFolder model_;
  test::TemporaryFolder data_;
};

TEST_F(DatasetTest, TextEndsWithTheEndOfText) {
  EXPECT_EQ(first(R"({"text": "abc"})"), "a[bcE]");
  EXPECT_EQ(first(R"({"text": "abc<|endoftext|>"})"), "a[bcE]");
}

TEST_F(DatasetTest, BeginningTokenAsTheTokenizerSays) {
  write_model({{"bos_token", "<s>"}, {"add_bos_token", true}, {"eos_token", "<|endoftext|>"}});
  EXPECT_EQ(first(R"({"text": "abc"})"), "B[abcE]");
  EXPECT_EQ(first(R"({"text": "<s>abc"})"), "B[abcE]");
  EXPECT_EQ(first(R"({"prompt": "p", "completion": "c"})"), "Bp[cE]");
  EXPECT_EQ(first(R"({"prompt": "<s>p", "completion": "c"})"), "Bp[cE]");
  EXPECT_EQ(first(R"({"tokens": [1, 2, 3]})"), "\x01[\x02\x03]");
}

TEST_F(DatasetTest, PromptsAreMasked) {
  EXPECT_EQ(first(R"({"prompt": "ask ", "completion": "yes"})"), "ask [yesE]");
  EXPECT_EQ(first(R"({"prompt": "ask ", "response": "yes", "id": 7})"), "ask [yesE]");
  EXPECT_EQ(first(R"({"question": "1+1?", "answer": "2"})"), "Question: 1+1?\nAnswer:[ 2E]");
  const auto alpaca = first(R"({"instruction": "Add.", "input": "1 1", "output": "2"})");
  EXPECT_NE(alpaca.find("provides further context"), std::string::npos);
  EXPECT_TRUE(alpaca.ends_with("### Instruction:\nAdd.\n\n### Input:\n1 1\n\n### Response:\n[2E]")) << alpaca;
  const auto no_input = first(R"({"instruction": "Add.", "input": "", "output": "2"})");
  EXPECT_TRUE(no_input.ends_with("request.\n\n### Instruction:\nAdd.\n\n### Response:\n[2E]")) << no_input;
}

// A token made of the prompt's last character and the completion's first belongs to the completion.
TEST_F(DatasetTest, TokenAcrossTheBorderIsPredicted) {
  const Json json = test::byte_tokenizer_json({{"p", "c"}});
  model_.write("tokenizer.json", json.dump());
  model_.write("tokenizer_config.json", "{}");
  const auto document = load("rows.jsonl", R"({"prompt": "ap", "completion": "cd"})").documents.at(0);
  EXPECT_EQ(document.ids, (Ids{'a', 256, 'd'}));
  EXPECT_EQ(document.trained, (std::vector<bool>{false, true, true}));
}

TEST_F(DatasetTest, Conversations) {
  EXPECT_NE(
      complaint("rows.jsonl", R"({"messages": [{"role": "user", "content": "q"}]})").find("chat_template"),
      std::string::npos);
  model_.write("chat_template.jinja", "{{ '<|im_start|>' + role + '<|im_end|>' }}");
  const std::string expected = "<user\nq>\n<assistant\n[a>]\n<user\nr>\n<assistant\n[b>]\n";
  EXPECT_EQ(first(R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, )"
                  R"({"role": "user", "content": [{"type": "text", "text": "r"}]}, )"
                  R"({"role": "assistant", "content": "b"}]})"),
            expected);
  EXPECT_EQ(first(R"({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"},)"
                  R"({"from": "user", "value": "r"}, {"from": "assistant", "value": "b"}], "tools": "[]"})"),
            expected);
  EXPECT_EQ(
      first(R"({"conversations": [{"from": "system", "value": "s"}, {"from": "function_call", "value": "f"},)"
            R"({"from": "observation", "value": "o"}, {"from": "gpt", "value": "a"}]})"),
      "<system\ns>\n<assistant\n[f>]\n<tool\no>\n<assistant\n[a>]\n");
  expect_refused("rows.jsonl", R"({"messages": [{"role": "narrator", "content": "q"}]})",
                 ":1: role \"narrator\"");
  expect_refused("rows.jsonl", R"({"messages": []})", "\"messages\" must be a list");
  expect_refused("rows.jsonl", R"({"messages": [3]})", "list of objects");
  expect_refused("rows.jsonl", R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})",
                 "not text");
}

TEST_F(DatasetTest, TokensWithoutATokenizer) {
  std::filesystem::remove(model_.path() / "tokenizer.json");
  const auto dataset = load("rows.jsonl", "{\"tokens\": [5, 6, 259]}\n\n{\"tokens\": [1]}\n");
  ASSERT_EQ(dataset.documents.size(), 1u);
  EXPECT_EQ(dataset.documents[0].ids, (Ids{5, 6, 259}));
  EXPECT_EQ(dataset.documents[0].targets(), 2u);
  EXPECT_EQ(dataset.dropped, 1u);
  EXPECT_TRUE(dataset.divisible);
  expect_refused("rows.jsonl", R"({"text": "abc"})", "no tokenizer");
  expect_refused("rows.jsonl", "{\"tokens\": [1, 2]}\n{\"tokens\": [1, 260]}", ":2: token id 260 is beyond");
  expect_refused("rows.jsonl", R"({"tokens": [1, -2]})", "-2");
  expect_refused("rows.jsonl", R"({"tokens": [1, 2.5]})", "2.5");
  expect_refused("rows.jsonl", R"({"tokens": [1, 99999999999]})", "99999999999");
  expect_refused("rows.jsonl", R"({"tokens": "1 2"})", "list of ids");
}

TEST_F(DatasetTest, TextFiles) {
  const auto dataset = load("a.txt", "one\ntwo\n<|endoftext|>\n<|endoftext|>\r\nthree <|endoftext|> four\n");
  ASSERT_EQ(dataset.documents.size(), 2u);
  EXPECT_EQ(shown(dataset.documents[0]), "o[ne\ntwoE]");
  EXPECT_EQ(shown(dataset.documents[1]), "t[hree E fourE]");  // only a whole line ends a document
  EXPECT_TRUE(dataset.divisible);
  EXPECT_EQ(shown(load("b.txt", "no break").documents.at(0)), "n[o breakE]");
  expect_refused("c.txt", "", "empty");
  expect_refused("c.txt", "\n<|endoftext|>\n\n", "empty");
}

TEST_F(DatasetTest, TextFileAndRowsAgree) {
  const auto text = load("a.txt", "one\ntwo\n<|endoftext|>\nthree\n<|endoftext|>\n");
  const auto rows = load("a.jsonl", "{\"text\": \"one\\ntwo\"}\n{\"text\": \"three\"}\n");
  ASSERT_EQ(text.documents.size(), rows.documents.size());
  for (std::size_t i = 0; i < rows.documents.size(); ++i)
    EXPECT_EQ(text.documents[i].ids, rows.documents[i].ids);
}

TEST_F(DatasetTest, FoldersHoldSplits) {
  data_.write("train.jsonl", R"({"text": "in training"})");
  data_.write("valid.txt", "for validation");
  TextEncoder encoder(model_.path(), 260);
  EXPECT_EQ(shown(load_dataset(data_.path(), "train", encoder).documents.at(0)), "i[n trainingE]");
  EXPECT_EQ(shown(load_dataset(data_.path(), "valid", encoder).documents.at(0)), "f[or validationE]");
  EXPECT_THROW(load_dataset(data_.path(), "test", encoder), Error);
  EXPECT_THROW(load_dataset(data_.path() / "absent.jsonl", "train", encoder), Error);
}

TEST_F(DatasetTest, JsonLists) {
  EXPECT_EQ(load("a.json", R"([{"text": "ab"}, {"text": "cd"}])").documents.size(), 2u);
  expect_refused("a.json", R"([{"text": "ab"}, 3])", "a.json: row 2");
  expect_refused("a.json", R"({"text": "ab"})", "list of rows");
}

TEST_F(DatasetTest, BadRowsAreNamed) {
  expect_refused("a.jsonl", "{\"text\": \"ab\"}\n{\"text\": ", "a.jsonl:2: not valid JSON");
  expect_refused("a.jsonl", "{\"text\": \"ab\"}\n\n[1]\n", "a.jsonl:3: expected a JSON object");
  expect_refused("a.jsonl", R"({"text": 3})", "a.jsonl:1: \"text\" must be a string");
  expect_refused("a.jsonl", R"({"story": "x"})", "a.jsonl:1: the keys \"story\" are none of");
  expect_refused("a.jsonl", "{\"text\": \"ab\"}\n{\"prompt\": \"a\", \"completion\": \"b\"}",
                 "a.jsonl:2: the keys");
  expect_refused("a.jsonl", R"({"query": "q", "choices": ["a", "b"], "gold": 0})", "--choices");
  expect_refused("a.jsonl", "", "empty");
  expect_refused("a.jsonl", "\n \n", "empty");
  expect_refused("a.csv", "text\nab", ".jsonl, .json or .txt");
  EXPECT_EQ(load("bom.jsonl", "\xEF\xBB\xBF{\"text\": \"ab\"}").documents.size(), 1u);
}

TEST_F(DatasetTest, TokenizerBeyondTheVocabulary) {
  EXPECT_THROW(load("a.jsonl", R"({"text": "ab"})", 100), Error);
}

TEST_F(DatasetTest, MultipleChoice) {
  const TextEncoder encoder(model_.path(), 260);
  const auto items = load_choices(
      data_.write("c.jsonl",
                  "{\"query\": \"q:\", \"choices\": [\"no\", \"maybe\"], \"gold\": 1}\n"
                  "{\"context_options\": [\"Ann\", \"Bob\"], \"continuation\": \"won.\", \"gold\": 0}\n"),
      "valid", encoder);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(shown(items[0].options[1]), "q:[ maybe]");
  EXPECT_EQ(items[0].bytes, (Ids{2, 5}));
  EXPECT_EQ(items[0].gold, 1u);
  EXPECT_EQ(shown(items[1].options[0]), "Ann[ won.]");
  EXPECT_EQ(shown(items[1].options[1]), "Bob[ won.]");
  const auto refused = [&](std::string_view row) {
    EXPECT_THROW(load_choices(data_.write("bad.jsonl", row), "valid", encoder), Error) << row;
  };
  refused("");
  refused(R"({"text": "x"})");
  refused(R"({"query": "q", "choices": ["a", "b"], "gold": 2})");
  refused(R"({"query": "q", "choices": ["a", "b"], "gold": -1})");
  refused(R"({"query": "q", "choices": ["a"], "gold": 0})");
  refused(R"({"query": "q", "choices": "ab", "gold": 0})");
  refused(R"({"query": 3, "choices": ["a", "b"], "gold": 0})");
}

// Cutting a conversation at the ends of answers gives the tokens of the whole text.
TEST(SharedDatasets, ConversationsHaveTheTokensOfTheirText) {
  const auto data = test::shared_data();
  const Json goldens = read_json(test::source_dir() / "tests/goldens/chat_templates.json");
  const std::vector<std::pair<const char*, const char*>> pairs{{"tokenizers/qwen3", "ChatML"},
                                                               {"models/stories260K", "Mistral"}};
  for (const auto& [name, family] : pairs) {
    const auto folder = data / name;
    WALSH_NEEDS(folder);
    const test::TemporaryFolder model;
    for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
      std::filesystem::copy(folder / file, model.path() / file);
    }
    for (const Json& golden : goldens.at("templates")) {
      if (golden.at("family") != family) continue;
      model.write("chat_template.jinja", golden.at("template").get<std::string>());
      TextEncoder encoder(model.path(), 151936);
      const auto chat = ChatTemplate::load(model.path());
      const std::vector<Message> messages{
          {"user", "Hi  there"}, {"assistant", "Hello!"}, {"user", "x"}, {"assistant", "y "}};
      const auto document = encoder.chat(messages);
      EXPECT_EQ(document.ids, encoder.tokenizer().encode(chat_text(chat.render(messages, false))));
      EXPECT_GE(document.targets(), 4u);
    }
  }
}

// Every file of the shared data sets is read, by its keys.
TEST(SharedDatasets, AreRecognised) {
  const auto data = test::shared_data();
  WALSH_NEEDS(data / "datasets");
  const test::TemporaryFolder model;
  model.write("tokenizer.json", test::byte_tokenizer_json().dump());
  model.write("tokenizer_config.json", R"({"eos_token": "<|endoftext|>"})");
  model.write("chat_template.jinja", "{{ '<|im_start|>' + role + '<|im_end|>' }}");
  TextEncoder encoder(model.path(), 257);
  const auto count = [&](const char* file) {
    return load_dataset(data / "datasets" / file, "train", encoder).documents.size();
  };
  EXPECT_EQ(count("gsm8k/test_first_half.jsonl"), 659u);
  EXPECT_EQ(count("commonsense-instruct/arc-challenge_train.jsonl"), 1119u);
  EXPECT_EQ(count("dolly-hhrlhf-small/train.jsonl"), 850u);
  EXPECT_EQ(count("dolly-hhrlhf-small/train_messages.jsonl"), 850u);
  EXPECT_EQ(count("fastchat-identity/dummy_conversation.json"), 500u);
  EXPECT_EQ(count("glaive-toolcall/glaive_toolcall_en_demo.json"), 300u);
  EXPECT_EQ(count("tinystories-sample/valid.txt"), 185u);
  EXPECT_EQ(count("wikitext-2/valid.txt"), 1u);
  EXPECT_GT(count("wikisql-text"), 100u);
  EXPECT_EQ(load_choices(data / "datasets/eval-multiple-choice/copa.jsonl", "test", encoder).size(), 100u);
  EXPECT_EQ(load_choices(data / "datasets/eval-multiple-choice/winogrande.jsonl", "test", encoder).size(),
            1267u);
}

}  // namespace
}  // namespace walsh
