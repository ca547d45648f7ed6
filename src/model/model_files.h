// The configuration of a model as the text of a Hugging Face config.json, from a folder or a GGUF file.
#pragma once

#include <filesystem>
#include <string>

namespace walsh {

std::string config_text(const std::filesystem::path& model);

}  // namespace walsh
