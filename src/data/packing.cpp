#include "data/packing.h"

#include <algorithm>
#include <limits>
#include <map>

#include "base/error.h"
#include "data/shuffle.h"

namespace walsh {
namespace {

std::uint64_t count_targets(const Document& document, const Piece& piece) {
  const auto first = document.trained.begin() + piece.begin + 1;
  return static_cast<std::uint64_t>(std::count(first, first + piece.length, true));
}

void check_sizes(const Dataset& dataset, std::uint32_t sequence_length) {
  require(sequence_length >= 1, "the sequence length must be at least 1");
  require(dataset.documents.size() < std::numeric_limits<std::uint32_t>::max(),
          "a data set of {} documents is too large", dataset.documents.size());
  for (const Document& document : dataset.documents) {
    require(document.ids.size() >= 2 && document.trained.size() == document.ids.size(),
            "a document of {} tokens with {} marks has nothing to predict", document.ids.size(),
            document.trained.size());
    require(document.ids.size() < std::numeric_limits<std::uint32_t>::max(),
            "a document of {} tokens is too long", document.ids.size());
  }
}

// Each piece into the row with the least room that still holds it.
void place(const std::vector<Piece>& pieces, Packing& packing) {
  std::multimap<std::uint32_t, std::size_t> room;  // free positions, row
  for (const Piece& piece : pieces) {
    const auto row = room.lower_bound(piece.length);
    const auto index = row == room.end() ? packing.rows.size() : row->second;
    const auto before = row == room.end() ? packing.sequence_length : row->first;
    if (row == room.end()) {
      packing.rows.emplace_back();
    } else {
      room.erase(row);
    }
    packing.rows[index].push_back(piece);
    if (before > piece.length) room.emplace(before - piece.length, index);
  }
}

}  // namespace

Packing pack(const Dataset& dataset, std::uint32_t sequence_length, std::uint64_t seed) {
  check_sizes(dataset, sequence_length);
  const auto tokens = dataset.tokens();
  require(
      !dataset.divisible || tokens >= sequence_length,
      "the text has {} tokens, less than one sequence of {}; give more text or a smaller --sequence-length",
      tokens, sequence_length);
  Packing packing{.sequence_length = sequence_length, .rows = {}};
  std::vector<Piece> pieces;
  for (const std::uint32_t d : shuffled(dataset.documents.size(), seed, ShuffleStream::documents, 0)) {
    const Document& document = dataset.documents[d];
    const auto inputs = static_cast<std::uint32_t>(document.ids.size() - 1);
    const bool cut_off = !dataset.divisible && inputs > sequence_length;
    const auto end = cut_off ? sequence_length : inputs;
    if (cut_off) ++packing.truncated;
    for (std::uint32_t begin = 0; begin < end; begin += std::min(sequence_length, end - begin)) {
      const Piece piece{d, begin, std::min(sequence_length, end - begin)};
      const auto targets = count_targets(document, piece);
      if (targets == 0) {
        if (cut_off) ++packing.dropped;
        continue;
      }
      packing.tokens += piece.length;
      packing.targets += targets;
      pieces.push_back(piece);
    }
  }
  require(!pieces.empty(), "every row is longer than --sequence-length {} before its first predicted token",
          sequence_length);
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.length > b.length; });
  place(pieces, packing);
  return packing;
}

Packing evaluation_windows(const Dataset& dataset, std::uint32_t sequence_length) {
  check_sizes(dataset, sequence_length);
  require(sequence_length >= 2,
          "evaluation predicts from the second token on: --sequence-length must be at least 2");
  Packing packing{.sequence_length = sequence_length, .rows = {}};
  std::vector<Piece> pieces;
  for (std::uint32_t d = 0; d < dataset.documents.size(); ++d) {
    const Document& document = dataset.documents[d];
    const auto size = static_cast<std::uint32_t>(document.ids.size());
    for (std::uint32_t begin = 0; begin < size; begin += std::min(sequence_length, size - begin)) {
      const auto window = std::min(sequence_length, size - begin);
      if (window < 2) continue;
      const Piece piece{d, begin, window - 1};
      const auto targets = count_targets(document, piece);
      if (targets == 0) continue;
      packing.tokens += piece.length;
      packing.targets += targets;
      pieces.push_back(piece);
    }
  }
  require(!pieces.empty(), "the evaluation data has no window with a token to predict");
  place(pieces, packing);
  return packing;
}

}  // namespace walsh
