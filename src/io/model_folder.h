// A Hugging Face model folder beside its weights and configuration.
#pragma once

#include <filesystem>

namespace walsh {

/// Copies the tokenizer and generation settings that `from` holds into `to`, over older ones.
inline void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* name :
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
        "generation_config.json", "chat_template.jinja", "added_tokens.json", "vocab.json", "merges.txt"}) {
    if (std::filesystem::exists(from / name))
      std::filesystem::copy_file(from / name, to / name, std::filesystem::copy_options::overwrite_existing);
  }
}

}  // namespace walsh
