// A small byte-level tokenizer for tests: ids 0 to 255 are the bytes in the alphabet's order of characters,
// then the merges and the special tokens a test asks for. Nothing merges beyond what the test names, so ids
// are easy to predict.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "io/byte_level.h"
#include "tests/support/temporary_folder.h"

namespace walsh::test {

/// The id of one byte in byte_tokenizer_json.
inline std::uint32_t byte_id(char c) { return static_cast<unsigned char>(c); }

inline Json byte_tokenizer_json(const std::vector<std::pair<std::string, std::string>>& merges = {},
                                const std::vector<std::string>& specials = {"<|endoftext|>"}) {
  Json vocabulary = Json::object();
  for (int b = 0; b < 256; ++b) vocabulary[to_byte_level(std::string(1, static_cast<char>(b)))] = b;
  std::uint32_t next = 256;
  Json merge_list = Json::array();
  for (const auto& [left, right] : merges) {
    vocabulary[to_byte_level(left + right)] = next++;
    merge_list.push_back({to_byte_level(left), to_byte_level(right)});
  }
  Json added = Json::array();
  for (const std::string& special : specials) {
    added.push_back({{"id", next++}, {"content", special}, {"special", true}});
  }
  return {{"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merge_list}}}};
}

}  // namespace walsh::test
