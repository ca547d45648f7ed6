// Writing conversations: the four families' turns.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/chat_template.h"
#include "io/utf8.h"

namespace walsh {
namespace {

// Python's str.strip(): what the templates' `trim` does.
std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_white_space(character_at(text, 0).code_point)) {
    text.remove_prefix(character_at(text, 0).length);
  }
  while (!text.empty()) {
    auto last = text.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
    if (!is_white_space(character_at(text, last).code_point)) break;
    text = text.substr(0, last);
  }
  return text;
}

std::string_view without_breaks_before(std::string_view text) {
  while (text.starts_with('\n')) text.remove_prefix(1);
  return text;
}

std::string_view without_breaks_after(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

// Collects segments, joining neighbours of one kind.
class Writer {
 public:
  void write(std::string_view text, bool trained = false) {
    if (text.empty()) return;
    if (segments_.empty() || segments_.back().trained != trained) segments_.push_back({"", trained});
    segments_.back().text += text;
  }
  std::vector<ChatSegment> take() { return std::move(segments_); }

 private:
  std::vector<ChatSegment> segments_;
};

struct Conversation {
  std::span<const Message> messages;
  bool generation_prompt;
  const std::string& bos_token;
  const std::string& eos_token;
};

void require_role(const Message& message, std::string_view family) {
  const bool known = message.role == "system" || message.role == "user" || message.role == "assistant" ||
                     message.role == "tool";
  require(known, "role {} is not one that a {} conversation has (system, user, assistant, tool)",
          in_quotes(message.role), family);
}

bool is_tool_response(std::string_view text) {
  return text.starts_with("<tool_response>") && text.ends_with("</tool_response>");
}

// Qwen3: answers after the last question open with their thoughts (the last answer with an empty block when
// there are none); thoughts of earlier answers are dropped.
std::string thinking_answer(std::span<const Message> messages, std::size_t index) {
  std::size_t last_query = messages.size() - 1;
  for (std::size_t i = messages.size(); i-- > 0;) {
    if (messages[i].role != "user" || is_tool_response(messages[i].content)) continue;
    last_query = i;
    break;
  }
  const std::string_view whole = messages[index].content;
  std::string_view content = whole;
  std::string_view thoughts;
  if (whole.find("</think>") != std::string_view::npos) {
    constexpr std::size_t open = std::string_view("<think>").size();
    constexpr std::size_t close = std::string_view("</think>").size();
    content = without_breaks_before(whole.substr(whole.rfind("</think>") + close));
    thoughts = without_breaks_after(whole.substr(0, whole.find("</think>")));
    const auto opening = thoughts.rfind("<think>");
    thoughts =
        without_breaks_before(opening == std::string_view::npos ? thoughts : thoughts.substr(opening + open));
  }
  const bool last = index + 1 == messages.size();
  if (index <= last_query || !(last || !thoughts.empty())) return std::string(content);
  return fmt::format("<think>\n{}\n</think>\n\n{}", without_breaks_before(without_breaks_after(thoughts)),
                     without_breaks_before(content));
}

void write(const ChatMl& chat, const Conversation& c, Writer& out) {
  if (chat.bos) out.write(c.bos_token);
  const auto messages = c.messages;
  if (!chat.default_system.empty() && (messages.empty() || messages[0].role != "system")) {
    out.write(fmt::format("<|im_start|>system\n{}<|im_end|>\n", chat.default_system));
  }
  const auto is_tool = [&](std::size_t i) { return i < messages.size() && messages[i].role == "tool"; };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    require_role(messages[i], "ChatML");
    const auto content = chat.trim ? trimmed(messages[i].content) : std::string_view(messages[i].content);
    if (is_tool(i) && chat.tool_responses) {
      if (i == 0 || !is_tool(i - 1)) out.write("<|im_start|>user");
      out.write(fmt::format("\n<tool_response>\n{}\n</tool_response>", content));
      if (!is_tool(i + 1)) out.write("<|im_end|>\n");
      continue;
    }
    const bool answer = messages[i].role == "assistant";
    out.write(fmt::format("<|im_start|>{}\n", messages[i].role));
    out.write(answer && chat.thinking ? thinking_answer(messages, i) : content, answer);
    out.write("<|im_end|>", answer);
    out.write("\n");
  }
  if (c.generation_prompt) out.write("<|im_start|>assistant\n");
}

void write(const Llama3& chat, const Conversation& c, Writer& out) {
  const auto turn = [&](std::string_view role, std::string_view content, bool answer) {
    out.write(fmt::format("<|start_header_id|>{}<|end_header_id|>\n\n", role));
    out.write(content, answer);
    out.write("<|eot_id|>", answer);
  };
  auto messages = c.messages;
  out.write(c.bos_token);
  if (chat.date) {
    const bool system = !messages.empty() && messages[0].role == "system";
    turn("system",
         fmt::format("Cutting Knowledge Date: December 2023\nToday Date: {}\n\n{}", *chat.date,
                     system ? trimmed(messages[0].content) : std::string_view()),
         false);
    if (system) messages = messages.subspan(1);
  }
  for (const Message& message : messages) {
    require_role(message, "Llama-3");
    if (chat.date && message.role == "tool") {
      turn("ipython", nlohmann::json(well_formed(message.content)).dump(), false);
    } else {
      turn(message.role, chat.trim ? trimmed(message.content) : std::string_view(message.content),
           message.role == "assistant");
    }
  }
  if (c.generation_prompt) out.write("<|start_header_id|>assistant<|end_header_id|>\n\n");
}

void write(const Mistral& chat, const Conversation& c, Writer& out) {
  auto messages = c.messages;
  std::string system;
  if (!messages.empty() && messages[0].role == "system") {
    require(chat.system != Mistral::System::refused,
            "this Mistral chat template has no form for system messages");
    system = messages[0].content + "\n\n";
    messages = messages.subspan(1);
  }
  out.write(c.bos_token);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool user = i % 2 == 0;
    require(messages[i].role == (user ? "user" : "assistant"),
            "turn {} of a Mistral conversation is the {}'s, found role {}", i + 1,
            user ? "user" : "assistant", in_quotes(messages[i].role));
    if (user) {
      const bool carries = chat.system == Mistral::System::first_turn ? i == 0 : i + 1 == messages.size();
      out.write(chat.open + (carries ? system : "") + messages[i].content + chat.close);
    } else {
      out.write(chat.before_answer, true);
      out.write(chat.trim_answer ? trimmed(messages[i].content) : std::string_view(messages[i].content),
                true);
      out.write(c.eos_token, true);
      out.write(chat.after_answer);
    }
  }
}

void write(const Zephyr& chat, const Conversation& c, Writer& out) {
  for (const Message& message : c.messages) {
    const bool answer = message.role == "assistant";
    require(answer || message.role == "user" || message.role == "system",
            "role {} is not one that a Zephyr conversation has (system, user, assistant)",
            in_quotes(message.role));
    out.write(fmt::format("<|{}|>\n", message.role));
    out.write(message.content, answer);
    out.write(c.eos_token, answer);
    out.write(chat.after_turn);
  }
  if (c.generation_prompt) out.write(chat.generation_prompt);
}

}  // namespace

std::vector<ChatSegment> ChatTemplate::render(std::span<const Message> messages,
                                              bool generation_prompt) const {
  require(!messages.empty(), "a conversation without a message");
  Writer out;
  std::visit(
      [&](const auto& chat) {
        write(chat, {messages, generation_prompt, bos_token_, eos_token_}, out);
      },
      family_);
  return out.take();
}

}  // namespace walsh
