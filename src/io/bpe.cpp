#include "io/bpe.h"

#include <algorithm>
#include <limits>

#include "base/json.h"
#include "io/utf8.h"

namespace walsh {
namespace {

std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) { return std::uint64_t{left} << 32 | right; }

// The heap's top is the lowest rank, and of equal ranks the leftmost.
bool later(const Bpe::Scratch::Candidate& a, const Bpe::Scratch::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

}  // namespace

std::size_t Bpe::PairHash::operator()(std::uint64_t pair) const {
  pair = (pair ^ pair >> 31) * 0x9E3779B97F4A7C15u;
  return static_cast<std::size_t>(pair ^ pair >> 32);
}

Bpe::Bpe(const Json& json, const std::string& source) {
  require(json.is_object(), "{}: \"model\" must be an object", source);
  const auto type =
      json_or<std::string>(json, "type", json.contains("merges") ? "BPE" : "without a type", source);
  require(type == "BPE", "{}: model {} is not supported (BPE is)", source, in_quotes(type));
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    require(json_or<std::string>(json, key, "", source).empty(), "{}: \"{}\" is not supported", source, key);
  }
  require(json_or(json, "dropout", 0.0, source) == 0.0, "{}: \"dropout\" is not supported", source);
  load_vocabulary(json, source);
  load_merges(json, source);
  ignore_merges_ = json_or(json, "ignore_merges", false, source);
  fuse_unknown_ = json_or(json, "fuse_unk", false, source);
  const auto unknown = json_or<std::string>(json, "unk_token", "", source);
  if (!unknown.empty()) {
    unknown_ = id_of(unknown);
    require(unknown_.has_value(), "{}: the unknown token {} is not in the vocabulary", source,
            in_quotes(unknown));
  }
  if (json_or(json, "byte_fallback", false, source)) {
    for (int b = 0; b < 256; ++b) {
      const auto id = id_of(fmt::format("<0x{:02X}>", b));
      require(id.has_value(), "{}: byte_fallback is on, but the vocabulary has no <0x{:02X}>", source, b);
      bytes_.push_back(*id);
    }
  }
}

void Bpe::load_vocabulary(const Json& json, const std::string& source) {
  const auto it = json.find("vocab");
  require(it != json.end() && it->is_object() && !it->empty(),
          "{}: the model's \"vocab\" must be an object of ids", source);
  // Tables are indexed by id: an id far beyond the number of tokens is an error, not a reason to allocate.
  const std::uint64_t limit = std::uint64_t{it->size()} * 4 + 65536;
  vocabulary_.reserve(it->size());
  for (const auto& [token, id] : it->items()) {
    require(id.is_number_unsigned() && id.get<std::uint64_t>() < limit,
            "{}: token {} must have an id from 0 to {}", source, in_quotes(token), limit - 1);
    vocabulary_.emplace(token, id.get<std::uint32_t>());
  }
}

void Bpe::load_merges(const Json& json, const std::string& source) {
  const auto it = json.find("merges");
  require(it != json.end() && it->is_array(), "{}: the model's \"merges\" must be a list", source);
  merges_.reserve(it->size());
  std::uint32_t rank = 0;
  std::string joined;
  for (const Json& merge : *it) {
    std::string_view left;
    std::string_view right;
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get_ref<const std::string&>();
      right = merge[1].get_ref<const std::string&>();
    } else if (merge.is_string()) {
      const std::string_view both = merge.get_ref<const std::string&>();
      const auto space = both.find(' ');
      if (space != std::string_view::npos) {
        left = both.substr(0, space);
        right = both.substr(space + 1);
      }
    }
    require(!left.empty() && !right.empty(), "{}: merge {} is neither \"a b\" nor [\"a\", \"b\"]", source,
            rank);
    joined.assign(left).append(right);
    const auto left_id = id_of(left);
    const auto right_id = id_of(right);
    const auto id = id_of(joined);
    require(left_id && right_id && id, "{}: merge {} ({} and {}) is not made of tokens of the vocabulary",
            source, rank, in_quotes(left), in_quotes(right));
    merges_[pair_key(*left_id, *right_id)] = {rank, *id};
    ++rank;
  }
}

std::optional<std::uint32_t> Bpe::id_of(std::string_view token) const {
  const auto it = vocabulary_.find(token);
  return it == vocabulary_.end() ? std::nullopt : std::optional(it->second);
}

void Bpe::start(std::string_view word, std::vector<Scratch::Symbol>& symbols) const {
  const auto push = [&](std::uint32_t id) {
    const auto position = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({id, position - 1, position + 1});
  };
  bool after_unknown = false;
  for (std::size_t at = 0; at < word.size();) {
    const auto character = word.substr(at, character_at(word, at).length);
    at += character.size();
    const auto id = id_of(character);
    if (id) {
      push(*id);
    } else if (!bytes_.empty()) {
      for (const char c : character) push(bytes_[static_cast<unsigned char>(c)]);
    } else if (unknown_ && !(fuse_unknown_ && after_unknown)) {
      push(*unknown_);
    }
    after_unknown = !id && bytes_.empty();
  }
  if (!symbols.empty()) symbols.back().next = -1;
}

void Bpe::propose(std::int32_t position, Scratch& scratch) const {
  if (position < 0) return;
  const auto& left = scratch.symbols[static_cast<std::size_t>(position)];
  if (left.next < 0) return;
  const auto right = scratch.symbols[static_cast<std::size_t>(left.next)].id;
  const auto it = merges_.find(pair_key(left.id, right));
  if (it == merges_.end()) return;
  scratch.candidates.push_back({it->second.rank, position, left.id, right});
  std::push_heap(scratch.candidates.begin(), scratch.candidates.end(), later);
}

void Bpe::encode(std::string_view word, Scratch& scratch, std::vector<std::uint32_t>& ids) const {
  if (ignore_merges_) {
    if (const auto id = id_of(word)) {
      ids.push_back(*id);
      return;
    }
  }
  require(word.size() < std::size_t{std::numeric_limits<std::int32_t>::max()},
          "a word of {} bytes is too long to be encoded", word.size());
  auto& symbols = scratch.symbols;
  symbols.clear();
  scratch.candidates.clear();
  start(word, symbols);
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) propose(static_cast<std::int32_t>(i), scratch);

  constexpr std::uint32_t gone = std::numeric_limits<std::uint32_t>::max();
  while (!scratch.candidates.empty()) {
    std::pop_heap(scratch.candidates.begin(), scratch.candidates.end(), later);
    const auto candidate = scratch.candidates.back();
    scratch.candidates.pop_back();
    auto& left = symbols[static_cast<std::size_t>(candidate.position)];
    if (left.id != candidate.left || left.next < 0) continue;
    auto& right = symbols[static_cast<std::size_t>(left.next)];
    if (right.id != candidate.right) continue;
    left.id = merges_.find(pair_key(left.id, right.id))->second.id;
    left.next = right.next;
    right.id = gone;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = candidate.position;
    propose(candidate.position, scratch);
    propose(left.previous, scratch);
  }
  for (const auto& symbol : symbols) {
    if (symbol.id != gone) ids.push_back(symbol.id);
  }
}

}  // namespace walsh
