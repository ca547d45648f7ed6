// Byte-pair encoding (Sennrich et al. 2016, "Neural machine translation of rare words with subword units",
// section 3.2): a word starts as single characters, and the adjacent pair that was learned first is joined
// until no pair is known.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace walsh {

class Bpe {
 public:
  /// `json` is the value of "model" in a tokenizer.json.
  Bpe(const nlohmann::json& json, const std::string& source);

  /// Buffers that calls reuse.
  struct Scratch {
    struct Symbol {
      std::uint32_t id;
      std::int32_t previous;
      std::int32_t next;
    };
    struct Candidate {
      std::uint32_t rank;
      std::int32_t position;
      std::uint32_t left;
      std::uint32_t right;
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> candidates;
  };

  /// Appends the ids of one word; time n log n in its length.
  void encode(std::string_view word, Scratch& scratch, std::vector<std::uint32_t>& ids) const;

  std::optional<std::uint32_t> id_of(std::string_view token) const;
  /// Every token with its id.
  const auto& vocabulary() const { return vocabulary_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct PairHash {
    std::size_t operator()(std::uint64_t pair) const;
  };
  struct Merge {
    std::uint32_t rank;
    std::uint32_t id;
  };

  void load_vocabulary(const nlohmann::json& json, const std::string& source);
  void load_merges(const nlohmann::json& json, const std::string& source);
  void start(std::string_view word, std::vector<Scratch::Symbol>& symbols) const;
  void propose(std::int32_t position, Scratch& scratch) const;

  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> vocabulary_;
  std::unordered_map<std::uint64_t, Merge, PairHash> merges_;
  std::vector<std::uint32_t>
      bytes_;  // ids of <0x00> ... <0xFF>, or empty: characters outside the vocabulary are unknown
  std::optional<std::uint32_t> unknown_;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
};

}  // namespace walsh
