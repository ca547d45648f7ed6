// Chat templates: how a conversation is written as one text. Models ship a Jinja program for it; walsh runs
// no Jinja but recognises the program of four families by what it writes, and writes the same.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace walsh {

struct Message {
  std::string role;  // system, user, assistant or tool
  std::string content;
};

/// A stretch of the rendered text. Trained: an assistant's words and the token that ends its turn.
struct ChatSegment {
  std::string text;
  bool trained = false;
  bool operator==(const ChatSegment&) const = default;
};

/// <|im_start|>role\ncontent<|im_end|>\n
struct ChatMl {
  std::string
      default_system;  // written where a conversation does not begin with a system message; empty: nothing
  bool bos = false;    // begins with the beginning token
  bool trim = false;   // contents lose the white space around them
  bool tool_responses = false;  // tool messages become <tool_response>s of one user turn
  bool thinking = false;        // Qwen3: an empty <think> block in the last answer, none in earlier ones
};

/// <|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>
struct Llama3 {
  bool trim = false;
  std::optional<std::string>
      date;  // Llama 3.1 and later: a system turn with the knowledge cut-off and this date
};

/// [INST] content [/INST] answer</s>
struct Mistral {
  enum class System { refused, first_turn, last_turn };
  std::string open;   // "[INST] " and the like
  std::string close;  // " [/INST]"
  std::string before_answer;
  std::string after_answer;  // after the end token
  bool trim_answer = false;
  System system = System::refused;  // which user turn a system message is put in front of
};

/// <|role|>\ncontent</s>\n
struct Zephyr {
  std::string after_turn;
  std::string generation_prompt;
};

class ChatTemplate {
 public:
  /// Of a folder: chat_template.jinja, or "chat_template" of tokenizer_config.json; or of a GGUF file.
  static ChatTemplate load(const std::filesystem::path& model);
  /// The program itself, where `model` has one.
  static std::optional<std::string> program(const std::filesystem::path& model);
  /// Recognises a Jinja program; refuses another family by its name. `source` is for messages.
  static ChatTemplate recognize(std::string_view jinja, std::string bos_token, std::string eos_token,
                                const std::string& source);

  /// The conversation as text; with a generation prompt it ends where the assistant's next answer begins.
  /// Refuses roles and orders of roles that the template has no form for.
  std::vector<ChatSegment> render(std::span<const Message> messages, bool generation_prompt) const;

  /// "ChatML", "Llama-3", "Mistral" or "Zephyr".
  std::string_view name() const;

 private:
  using Family = std::variant<ChatMl, Llama3, Mistral, Zephyr>;
  ChatTemplate(Family family, std::string bos_token, std::string eos_token);

  Family family_;
  std::string bos_token_;
  std::string eos_token_;
};

/// The segments as one text.
std::string chat_text(std::span<const ChatSegment> segments);

}  // namespace walsh
