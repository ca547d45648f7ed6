#include "data/datasets.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/file.h"
#include "data/rows.h"
#include "io/utf8.h"

namespace walsh {
namespace {

enum class RowKind { messages, conversations, tokens, instruction, prompt, question, text, choices, unknown };

RowKind kind_of(const Json& row) {
  if (holds(row, {"messages"})) return RowKind::messages;
  if (holds(row, {"conversations"})) return RowKind::conversations;
  if (holds(row, {"tokens"})) return RowKind::tokens;
  if (holds(row, {"query", "choices", "gold"})) return RowKind::choices;
  if (holds(row, {"context_options", "continuation", "gold"})) return RowKind::choices;
  if (holds(row, {"instruction", "output"})) return RowKind::instruction;
  if (holds(row, {"prompt", "completion"}) || holds(row, {"prompt", "response"})) return RowKind::prompt;
  if (holds(row, {"question", "answer"})) return RowKind::question;
  if (holds(row, {"text"})) return RowKind::text;
  return RowKind::unknown;
}

// A message's words: a string, or a list of parts of which the texts count.
std::string message_text(const Json& message, const char* key) {
  const auto it = message.find(key);
  if (it == message.end() || !it->is_array()) return text_at(message, key);
  std::string text;
  for (const Json& part : *it) {
    require(part.is_object() && part.value("type", Json()) == "text", "a part of \"{}\" is not text", key);
    text += text_at(part, "text");
  }
  return text;
}

// Names of roles in common data sets. A call of a tool is the assistant's doing and is learned; what the tool
// says is not.
std::string role_of(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 13> roles{{
      {"system", "system"},
      {"user", "user"},
      {"human", "user"},
      {"assistant", "assistant"},
      {"gpt", "assistant"},
      {"model", "assistant"},
      {"bot", "assistant"},
      {"function_call", "assistant"},
      {"tool", "tool"},
      {"function", "tool"},
      {"observation", "tool"},
      {"function_response", "tool"},
      {"ipython", "tool"},
  }};
  for (const auto& [known, role] : roles) {
    if (name == known) return std::string(role);
  }
  refuse("role {} is not known (system, user, human, assistant, gpt, function_call, tool, observation ...)",
         in_quotes(name));
}

std::vector<Message> messages_of(const Json& row, const char* list, const char* role, const char* content) {
  const Json& turns = row.at(list);
  require(turns.is_array() && !turns.empty(), "\"{}\" must be a list of messages", list);
  std::vector<Message> messages;
  for (const Json& turn : turns) {
    require(turn.is_object(), "\"{}\" must be a list of objects", list);
    messages.push_back({role_of(text_at(turn, role)), message_text(turn, content)});
  }
  return messages;
}

std::vector<std::uint32_t> ids_of(const Json& row) {
  const Json& list = row.at("tokens");
  require(list.is_array(), "\"tokens\" must be a list of ids");
  std::vector<std::uint32_t> ids;
  ids.reserve(list.size());
  for (const Json& id : list) {
    require(id.is_number_unsigned(), "token id {} is not a whole number from 0", id.dump().substr(0, 20));
    require(id.get<std::uint64_t>() < 0x80000000u, "token id {} is beyond any vocabulary",
            id.get<std::uint64_t>());
    ids.push_back(id.get<std::uint32_t>());
  }
  return ids;
}

// Taori et al. 2023, "Stanford Alpaca": the two prompts.
std::string instruction_prompt(const Json& row) {
  const auto instruction = text_at(row, "instruction");
  const auto input = row.contains("input") ? text_at(row, "input") : std::string();
  if (input.empty()) {
    return fmt::format(
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\n{}\n\n### Response:\n",
        instruction);
  }
  return fmt::format(
      "Below is an instruction that describes a task, paired with an input that provides further context. "
      "Write a "
      "response that appropriately completes the request.\n\n### Instruction:\n{}\n\n### Input:\n{}\n\n### "
      "Response:\n",
      instruction, input);
}

Document encode_row(const Json& row, RowKind kind, TextEncoder& encoder) {
  switch (kind) {
    case RowKind::messages:
      return encoder.chat(messages_of(row, "messages", "role", "content"));
    case RowKind::conversations:
      return encoder.chat(messages_of(row, "conversations", "from", "value"));
    case RowKind::tokens:
      return encoder.tokens(ids_of(row));
    case RowKind::instruction:
      return encoder.completion(instruction_prompt(row), text_at(row, "output"));
    case RowKind::prompt:
      return encoder.completion(text_at(row, "prompt"),
                                text_at(row, row.contains("completion") ? "completion" : "response"));
    case RowKind::question:
      return encoder.completion(fmt::format("Question: {}\nAnswer:", text_at(row, "question")),
                                ' ' + text_at(row, "answer"));
    case RowKind::text:
      return encoder.text(text_at(row, "text"));
    case RowKind::choices:
      refuse("rows of multiple-choice items are for scoring with --choices");
    case RowKind::unknown:
      break;
  }
  refuse(
      "the keys {} are none of {{text}}, {{prompt,completion}}, {{prompt,response}}, {{question,answer}}, "
      "{{instruction,output}}, {{messages}}, {{conversations}}, {{tokens}}",
      keys_of(row));
}

void keep(Dataset& dataset, Document document) {
  if (document.targets() == 0) {
    ++dataset.dropped;
  } else {
    dataset.documents.push_back(std::move(document));
  }
}

Dataset load_rows(const std::filesystem::path& file, TextEncoder& encoder) {
  Dataset dataset;
  auto first = RowKind::unknown;
  visit_rows(file, [&](const Json& row, const std::string&) {
    const auto kind = kind_of(row);
    if (first == RowKind::unknown) first = kind;
    require(kind == first || kind == RowKind::unknown, "the keys {} are of another kind than the first row's",
            keys_of(row));
    keep(dataset, encode_row(row, kind, encoder));
  });
  dataset.plain_text = first == RowKind::text;
  dataset.divisible = dataset.plain_text || first == RowKind::tokens;
  return dataset;
}

Dataset load_text(const std::filesystem::path& file, const TextEncoder& encoder) {
  const std::string text = read_text(file);
  Dataset dataset;
  dataset.plain_text = true;
  dataset.divisible = true;
  const auto add = [&](std::size_t begin, std::size_t end) {
    // The line break in front of the mark, or at the end of the file, ends the last line and is no part of
    // the text.
    if (end > begin && text[end - 1] == '\n') --end;
    if (end > begin && text[end - 1] == '\r') --end;
    if (end > begin) keep(dataset, encoder.text(std::string_view(text).substr(begin, end - begin)));
  };
  std::size_t begin = 0;
  for (std::size_t line = 0; line < text.size();) {
    const auto end = std::min(text.find('\n', line), text.size());
    auto content = std::string_view(text).substr(line, end - line);
    if (content.ends_with('\r')) content.remove_suffix(1);
    if (content == "<|endoftext|>") {
      add(begin, line);
      begin = end + 1;
    }
    line = end + 1;
  }
  if (begin < text.size()) add(begin, text.size());
  return dataset;
}

}  // namespace

std::filesystem::path dataset_file(const std::filesystem::path& path, std::string_view split) {
  require(std::filesystem::exists(path), "{}: no such file or folder", path.string());
  if (!std::filesystem::is_directory(path)) return path;
  for (const char* extension : {".jsonl", ".txt", ".json"}) {
    auto file = path / (std::string(split) + extension);
    if (std::filesystem::exists(file)) return file;
  }
  refuse("{}: a folder of data holds {}.jsonl, {}.txt or {}.json, found none of them", path.string(), split,
         split, split);
}

Dataset load_dataset(const std::filesystem::path& path, std::string_view split, TextEncoder& encoder) {
  const auto file = dataset_file(path, split);
  const auto extension = file.extension();
  require(extension == ".txt" || extension == ".jsonl" || extension == ".json",
          "{}: a data file is called .jsonl, .json or .txt", file.string());
  Dataset dataset = extension == ".txt" ? load_text(file, encoder) : load_rows(file, encoder);
  require(!dataset.documents.empty(), "{}: the data set is empty ({} rows have nothing to predict)",
          file.string(), dataset.dropped);
  return dataset;
}

std::vector<ChoiceItem> load_choices(const std::filesystem::path& path, std::string_view split,
                                     const TextEncoder& encoder) {
  const auto file = dataset_file(path, split);
  std::vector<ChoiceItem> items;
  visit_rows(file, [&](const Json& row, const std::string&) {
    require(kind_of(row) == RowKind::choices,
            "the keys {} are neither {{query,choices,gold}} nor {{context_options,continuation,gold}}",
            keys_of(row));
    const bool by_context = row.contains("context_options");
    const Json& options = row.at(by_context ? "context_options" : "choices");
    require(options.is_array() && options.size() >= 2, "\"{}\" must be a list of at least two texts",
            by_context ? "context_options" : "choices");
    ChoiceItem item;
    for (const Json& option : options) {
      require(option.is_string(), "every option must be a text");
      const auto& words = option.get_ref<const std::string&>();
      const auto continuation = ' ' + (by_context ? text_at(row, "continuation") : words);
      item.options.push_back(
          encoder.completion(by_context ? words : text_at(row, "query"), continuation, false));
      item.bytes.push_back(static_cast<std::uint32_t>(continuation.size() - 1));
      require(item.options.back().targets() > 0, "option {} has nothing to predict", item.options.size());
    }
    const Json& gold = row.at("gold");
    require(gold.is_number_unsigned() && gold.get<std::uint64_t>() < options.size(),
            "\"gold\" must be a number from 0 to {}", options.size() - 1);
    item.gold = gold.get<std::uint32_t>();
    items.push_back(std::move(item));
  });
  require(!items.empty(), "{}: the data set is empty", file.string());
  return items;
}

}  // namespace walsh
