// A Hugging Face model folder beside its weights and configuration.
#pragma once

#include <filesystem>

namespace walsh {

/// Puts the tokenizer, chat template and generation settings of `from`, a folder or a GGUF file, into the
/// folder `to`, over older ones.
void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace walsh
