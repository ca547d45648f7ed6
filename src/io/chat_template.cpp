#include "io/chat_template.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "io/gguf_tokenizer.h"
#include "io/jinja_text.h"
#include "io/regex.h"
#include "io/utf8.h"

namespace walsh {
namespace {

constexpr std::string_view chatml_system = "<|im_start|>system\n";
constexpr std::string_view llama3_system = "<|start_header_id|>system<|end_header_id|>\n\n";

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string text_if(bool holds, std::string_view text) {
  return std::string(holds ? text : std::string_view());
}

bool matches(std::string_view jinja, std::string_view pattern) {
  return !Regex(pattern, Regex::Syntax::pattern, "chat template").matches(jinja).empty();
}

// Families that walsh does not write, by what only they hold.
std::string_view other_family(std::string_view jinja) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> marks{{
      {"<start_of_turn>", "Gemma"},
      {"<<SYS>>", "Llama-2"},
      {"<|START_OF_TURN_TOKEN|>", "Command-R"},
      {"<|start_of_role|>", "Granite"},
      {"<\xEF\xBD\x9CUser\xEF\xBD\x9C>", "DeepSeek"},
      {"[gMASK]", "GLM"},
      {"<|start|>", "Harmony"},
      {"[SYSTEM_PROMPT]", "Mistral V7"},
      {"<|end|>", "Phi-3"},
      {"### Instruction", "Alpaca"},
  }};
  for (const auto& [mark, name] : marks) {
    if (has(jinja, mark)) return name;
  }
  return {};
}

ChatMl recognize_chatml(std::string_view jinja, const std::vector<JinjaLiteral>& literals,
                        const std::string& source) {
  ChatMl chat{.default_system = {},
              .bos = has(jinja, "bos_token"),
              .trim = matches(jinja, R"(content['"]?\]? *\| *trim)"),
              .tool_responses = has(jinja, "<tool_response>"),
              .thinking = has(jinja, "(not loop.last and reasoning_content)")};
  require(chat.thinking || !has(jinja, "<think>"),
          "{}: a ChatML chat template that thinks in another way than Qwen3's is not supported", source);
  for (const JinjaLiteral& literal : literals) {
    const auto end = literal.text.find("<|im_end|>");
    if (!literal.text.starts_with(chatml_system) || end == std::string::npos || end <= chatml_system.size())
      continue;
    chat.default_system = literal.text.substr(chatml_system.size(), end - chatml_system.size());
  }
  return chat;
}

Llama3 recognize_llama3(std::string_view jinja, const std::vector<JinjaLiteral>& literals,
                        const std::string& source) {
  Llama3 chat{.trim = matches(jinja, R"(content['"]?\]? *\| *trim)"), .date = std::nullopt};
  const bool dated = has(jinja, "Cutting Knowledge Date: December 2023") && has(jinja, "Today Date: ");
  if (dated) {
    // The newest templates ask for today's date; training wants one text for ever, and takes the date they
    // fall back to.
    const auto is_date = [&](const JinjaLiteral& literal) {
      return matches(literal.text, R"(\A\d{1,2} [A-Z][a-z]{2} \d{4}\z)");
    };
    const auto date = std::find_if(literals.begin(), literals.end(), is_date);
    require(date != literals.end(),
            "{}: a Llama-3 chat template without the date it falls back to is not supported", source);
    chat.date = date->text;
  }
  const bool own_system = std::any_of(literals.begin(), literals.end(),
                                      [](const auto& l) { return l.text.starts_with(llama3_system); });
  require(dated || !own_system, "{}: a Llama-3 chat template with a system turn of its own is not supported",
          source);
  return chat;
}

// The one literal that holds `mark`; templates that build their turns otherwise are not understood.
std::string only_literal(const std::vector<JinjaLiteral>& literals, std::string_view mark,
                         const std::string& source) {
  std::set<std::string> found;
  for (const JinjaLiteral& literal : literals) {
    if (has(literal.text, mark)) found.insert(literal.text);
  }
  require(found.size() == 1, "{}: a Mistral chat template that writes {} in {} ways is not supported", source,
          mark, found.size());
  return *found.begin();
}

Mistral recognize_mistral(std::string_view jinja, const std::vector<JinjaLiteral>& literals,
                          const std::string& source) {
  constexpr std::string_view content = R"(message(\[['"]content['"]\]|\.content))";
  Mistral chat;
  chat.open = only_literal(literals, "[INST]", source);
  chat.close = only_literal(literals, "[/INST]", source);
  chat.before_answer = text_if(matches(jinja, fmt::format(R"(\{{\{{-? *['"] ['"] *\+ *{})", content)), " ");
  chat.after_answer = text_if(matches(jinja, R"(eos_token *\+ *['"] ['"])"), " ");
  chat.trim_answer = matches(jinja, fmt::format(R"({} *\| *trim *\+ *eos_token)", content));
  if (matches(jinja, R"(loop\.first and system_message)")) chat.system = Mistral::System::first_turn;
  if (matches(jinja, R"(loop\.last and system_message)")) chat.system = Mistral::System::last_turn;
  return chat;
}

Zephyr recognize_zephyr(std::string_view jinja, const std::vector<JinjaLiteral>& literals,
                        const std::string& source) {
  Zephyr chat;
  const auto prompt_at = jinja.find("add_generation_prompt");
  bool turn = false;
  for (const JinjaLiteral& literal : literals) {
    if (literal.text == "<|user|>\n") {
      const auto expression = jinja.substr(literal.end, jinja.find("}}", literal.end) - literal.end);
      chat.after_turn = text_if(matches(expression, R"(eos_token *\+ *['"]\\n['"])"), "\n");
      if (writes_line_break(jinja, literal.end)) chat.after_turn += '\n';
      turn = has(expression, "eos_token");
    } else if (literal.end > prompt_at && has(literal.text, "<|assistant|>")) {
      chat.generation_prompt = literal.text;
      if (writes_line_break(jinja, literal.end)) chat.generation_prompt += '\n';
    }
  }
  require(turn && !chat.generation_prompt.empty(),
          "{}: a chat template with <|user|> turns that are not Zephyr's is not supported", source);
  return chat;
}

std::string special_token(const std::filesystem::path& folder, const Json& config, const char* key) {
  const auto map = folder / "special_tokens_map.json";
  const bool in_map = !config.contains(key) && std::filesystem::exists(map);
  const Json json = in_map ? read_json(map) : config;
  const auto source = (in_map ? map : folder / "tokenizer_config.json").string();
  const auto token = json_or<Json>(json, key, Json(""), source);
  return token.is_object() ? json_at<std::string>(token, "content", source)
                           : json_or<std::string>(json, key, "", source);
}

// A model may ship several templates, by name.
std::string template_text(const Json& config, const std::string& source) {
  const auto value = json_or<Json>(config, "chat_template", Json(), source);
  require(!value.is_null(), "{}: no \"chat_template\"; the model is not made for conversations", source);
  if (!value.is_array()) return json_at<std::string>(config, "chat_template", source);
  for (const Json& entry : value) {
    if (json_at<std::string>(entry, "name", source) == "default") {
      return json_at<std::string>(entry, "template", source);
    }
  }
  refuse("{}: none of the chat templates is called \"default\"", source);
}

}  // namespace

ChatTemplate::ChatTemplate(Family family, std::string bos_token, std::string eos_token)
    : family_(std::move(family)), bos_token_(std::move(bos_token)), eos_token_(std::move(eos_token)) {}

ChatTemplate ChatTemplate::recognize(std::string_view text, std::string bos_token, std::string eos_token,
                                     const std::string& source) {
  constexpr std::size_t longest = 1 << 20;
  require(text.size() <= longest, "{}: a chat template of {} bytes is not supported", source, text.size());
  const std::string jinja = well_formed(text);
  const auto literals = jinja_literals(jinja);
  const auto make = [&](Family family) {
    return ChatTemplate(std::move(family), std::move(bos_token), std::move(eos_token));
  };
  if (has(jinja, "<|im_start|>") && has(jinja, "<|im_end|>"))
    return make(recognize_chatml(jinja, literals, source));
  if (has(jinja, "<|start_header_id|>") && has(jinja, "<|eot_id|>")) {
    return make(recognize_llama3(jinja, literals, source));
  }
  const auto other = other_family(jinja);
  require(other.empty(), "{}: the chat template is {}'s; ChatML, Llama-3, Mistral and Zephyr are supported",
          source, other);
  if (has(jinja, "[INST]") && has(jinja, "[/INST]") && has(jinja, "eos_token")) {
    return make(recognize_mistral(jinja, literals, source));
  }
  if (has(jinja, "<|user|>") && has(jinja, "<|assistant|>") && has(jinja, "eos_token")) {
    return make(recognize_zephyr(jinja, literals, source));
  }
  refuse("{}: the chat template {} is not known; ChatML, Llama-3, Mistral and Zephyr are supported", source,
         in_quotes(jinja));
}

ChatTemplate ChatTemplate::load(const std::filesystem::path& model) {
  if (Gguf::named(model)) {
    const Json config = tokenizer_files(Gguf::open(model)).config;
    const auto source = model.string();
    return recognize(template_text(config, source), special_token(model, config, "bos_token"),
                     special_token(model, config, "eos_token"), source);
  }
  const auto config_path = model / "tokenizer_config.json";
  const auto jinja_path = model / "chat_template.jinja";
  const Json config = std::filesystem::exists(config_path) ? read_json(config_path) : Json::object();
  require(config.is_object(), "{}: expected a JSON object", config_path.string());
  const bool file = std::filesystem::exists(jinja_path);
  const auto source = (file ? jinja_path : config_path).string();
  return recognize(file ? read_text(jinja_path) : template_text(config, source),
                   special_token(model, config, "bos_token"), special_token(model, config, "eos_token"),
                   source);
}

std::optional<std::string> ChatTemplate::program(const std::filesystem::path& model) {
  if (Gguf::named(model)) return Gguf::open(model).text("tokenizer.chat_template");
  if (std::filesystem::exists(model / "chat_template.jinja")) return read_text(model / "chat_template.jinja");
  const auto path = model / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) return std::nullopt;
  const Json config = read_json(path);
  if (!config.is_object() || !config.contains("chat_template")) return std::nullopt;
  return template_text(config, path.string());
}

std::string_view ChatTemplate::name() const {
  constexpr std::array<std::string_view, 4> names{"ChatML", "Llama-3", "Mistral", "Zephyr"};
  return names[family_.index()];
}

std::string chat_text(std::span<const ChatSegment> segments) {
  std::string text;
  for (const ChatSegment& segment : segments) text += segment.text;
  return text;
}

}  // namespace walsh
