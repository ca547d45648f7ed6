#include "io/model_folder.h"

#include "base/file.h"
#include "io/gguf_tokenizer.h"

namespace walsh {

void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (Gguf::named(from)) {
    const Gguf file = Gguf::open(from);
    if (!has_tokenizer(file)) return;
    const TokenizerFiles files = tokenizer_files(file);
    const auto write = [&](const char* name, const Json& json) {
      write_file(to / name, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    };
    if (files.tokenizer) write("tokenizer.json", *files.tokenizer);
    if (!files.model.empty()) write_file(to / "tokenizer.model", files.model);
    write("tokenizer_config.json", files.config);
    write("generation_config.json", files.generation);
    return;
  }
  for (const char* name :
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
        "generation_config.json", "chat_template.jinja", "added_tokens.json", "vocab.json", "merges.txt"}) {
    if (std::filesystem::exists(from / name))
      std::filesystem::copy_file(from / name, to / name, std::filesystem::copy_options::overwrite_existing);
  }
}

}  // namespace walsh
