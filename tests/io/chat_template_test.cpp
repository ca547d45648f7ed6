// Conversations as transformers writes them (tests/goldens/chat_templates.json, made by
// tools/make_chat_goldens.py).
#include "io/chat_template.h"

#include "base/json.h"
#include "tests/support/paths.h"
#include "tests/support/temporary_folder.h"

namespace walsh {
namespace {

std::vector<Message> messages_of(const Json& json) {
  std::vector<Message> messages;
  for (const Json& m : json) messages.push_back({m.at("role"), m.at("content")});
  return messages;
}

const Json& goldens() {
  static const Json json = read_json(test::source_dir() / "tests/goldens/chat_templates.json");
  return json;
}

// The golden template of that name, recognised.
ChatTemplate golden_template(const std::string& name) {
  for (const Json& golden : goldens().at("templates")) {
    if (golden.at("name") == name)
      return ChatTemplate::recognize(golden.at("template").get<std::string>(), "<s>", "</s>", name);
  }
  throw std::runtime_error("no golden template " + name);
}

std::string complaint(const std::string& jinja) {
  try {
    ChatTemplate::recognize(jinja, "<s>", "</s>", "file");
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "nothing refused";
}

TEST(ChatTemplate, WritesWhatTransformersWrites) {
  int cases = 0;
  for (const Json& golden : goldens().at("templates")) {
    const auto name = golden.at("name").get<std::string>();
    const auto chat = ChatTemplate::recognize(golden.at("template").get<std::string>(), "<s>", "</s>", name);
    EXPECT_EQ(chat.name(), golden.at("family").get<std::string>());
    for (const Json& c : golden.at("cases")) {
      const auto messages = messages_of(c.at("messages"));
      EXPECT_EQ(chat_text(chat.render(messages, false)), c.at("text").get<std::string>()) << name;
      EXPECT_EQ(chat_text(chat.render(messages, true)), c.at("prompt").get<std::string>()) << name;
      ++cases;
    }
  }
  EXPECT_GE(cases, 60);
}

TEST(ChatTemplate, TrainsOnAnswersAndTheirEnds) {
  const std::vector<Message> messages{
      {"system", "S"}, {"user", "q"}, {"assistant", "a"}, {"user", "r"}, {"assistant", "b"}};
  using Segments = std::vector<ChatSegment>;
  EXPECT_EQ(
      golden_template("chatml").render(messages, false),
      (Segments{
          {"<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n", false},
          {"a<|im_end|>", true},
          {"\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n", false},
          {"b<|im_end|>", true},
          {"\n", false}}));
  EXPECT_EQ(golden_template("mistral-first").render(messages, false),
            (Segments{{"<s> [INST] S\n\nq [/INST]", false},
                      {" a</s>", true},
                      {" [INST] r [/INST]", false},
                      {" b</s>", true}}));
  const auto zephyr = golden_template("zephyr").render(messages, true);
  EXPECT_EQ(zephyr[1], (ChatSegment{"a</s>", true}));
  EXPECT_EQ(zephyr.back(), (ChatSegment{"\n<|assistant|>\n", false}));
  EXPECT_EQ(golden_template("llama3").render(messages, false)[1], (ChatSegment{"a<|eot_id|>", true}));
}

TEST(ChatTemplate, RefusesRolesAndOrders) {
  const auto refused = [](const char* name, const std::vector<Message>& messages) {
    EXPECT_THROW(golden_template(name).render(messages, false), Error) << name;
  };
  refused("chatml", {});
  refused("chatml", {{"narrator", "x"}});
  refused("llama3", {{"narrator", "x"}});
  refused("zephyr", {{"tool", "x"}});
  refused("mistral-plain", {{"system", "x"}, {"user", "y"}});
  refused("mistral-first", {{"user", "x"}, {"user", "y"}});
  refused("mistral-first", {{"assistant", "x"}});
}

TEST(ChatTemplate, RefusesOtherFamiliesByName) {
  const auto expect_named = [](const std::string& jinja, const std::string& name) {
    EXPECT_NE(complaint(jinja).find(name), std::string::npos) << complaint(jinja);
  };
  expect_named("{{ '<start_of_turn>' + role }}", "Gemma");
  expect_named("{{ '[INST] <<SYS>>\\n' + system }} [/INST] {{ eos_token }}", "Llama-2");
  expect_named("{{ '<|user|>\\n' + content + '<|end|>\\n' }}", "Phi-3");
  expect_named("{{ '<|start|>' + role + '<|message|>' }}", "Harmony");
  expect_named("{{ '### Instruction:\\n' }}", "Alpaca");
  expect_named("{{ 'Human: ' + \n content }}", "is not known");
  expect_named("", "is not known");
  expect_named("{{ '<|im_start|>' }}<think>{{ '<|im_end|>' }}", "thinks in another way");
  expect_named("{{ '<|start_header_id|>system<|end_header_id|>\\n\\nI am' }}{{ '<|eot_id|>' }}",
               "system turn of its own");
  expect_named("{{ '[INST] ' }}{{ ' [INST]' }}{{ '[/INST]' + eos_token }}", "[INST] in 2 ways");
  expect_named("{{ '<|user|>' + '<|assistant|>' + eos_token }}", "not Zephyr's");
  expect_named("{{ '<|im_start|> unclosed {% \" <|im_end|> \\", "nothing refused");
}

TEST(ChatTemplate, ComesFromTheModelFolder) {
  const std::string chatml = "{{ bos_token }}{{ '<|im_start|>' + '<|im_end|>' }}";
  const std::vector<Message> hi{{"user", "hi"}};
  const test::TemporaryFolder folder;
  EXPECT_THROW(ChatTemplate::load(folder.path()), Error);
  folder.write("tokenizer_config.json", R"({"bos_token": null})");
  EXPECT_THROW(ChatTemplate::load(folder.path()), Error);
  folder.write("tokenizer_config.json",
               Json{{"chat_template", chatml}, {"bos_token", {{"content", "<b>"}}}}.dump());
  EXPECT_EQ(chat_text(ChatTemplate::load(folder.path()).render(hi, false)),
            "<b><|im_start|>user\nhi<|im_end|>\n");
  const Json list =
      Json::array({{{"name", "tools"}, {"template", "x"}}, {{"name", "default"}, {"template", chatml}}});
  folder.write("tokenizer_config.json", Json{{"chat_template", list}}.dump());
  folder.write("special_tokens_map.json", R"({"bos_token": "<m>"})");
  EXPECT_EQ(chat_text(ChatTemplate::load(folder.path()).render(hi, false)),
            "<m><|im_start|>user\nhi<|im_end|>\n");
  folder.write("tokenizer_config.json",
               Json{{"chat_template", Json::array({{{"name", "a"}, {"template", "x"}}})}}.dump());
  EXPECT_THROW(ChatTemplate::load(folder.path()), Error);
  folder.write("tokenizer_config.json", Json{{"chat_template", 3}}.dump());
  EXPECT_THROW(ChatTemplate::load(folder.path()), Error);
  folder.write("chat_template.jinja", chatml);
  EXPECT_EQ(ChatTemplate::load(folder.path()).name(), "ChatML");
}

TEST(ChatTemplate, Qwen3IsChatMl) {
  const auto folder = test::shared_data() / "tokenizers/qwen3";
  WALSH_NEEDS(folder);
  const auto chat = ChatTemplate::load(folder);
  EXPECT_EQ(chat.name(), "ChatML");
  for (const Json& golden : goldens().at("templates")) {
    if (golden.at("name") != "chatml-thinking") continue;
    for (const Json& c : golden.at("cases")) {
      EXPECT_EQ(chat_text(chat.render(messages_of(c.at("messages")), true)),
                c.at("prompt").get<std::string>());
    }
  }
}

}  // namespace
}  // namespace walsh
