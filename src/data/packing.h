// Packing: documents into rows of `sequence_length` positions, several short ones a row, each attending to
// itself only.
//
// A piece of a document feeds tokens begin .. begin + length - 1 and predicts the token after each. Plain
// text is cut into consecutive pieces, so every token but a document's first is predicted once; a prompt with
// its completion is one piece, cut off at the row's end. Pieces go, longest first, where the least room is
// left (best-fit decreasing).
#pragma once

#include <cstdint>
#include <vector>

#include "data/documents.h"

namespace walsh {

struct Piece {
  std::uint32_t document = 0;
  std::uint32_t begin = 0;
  std::uint32_t length = 0;
  bool operator==(const Piece&) const = default;
};

struct Packing {
  std::uint32_t sequence_length = 0;
  std::vector<std::vector<Piece>> rows;
  std::uint64_t tokens = 0;     // positions that hold a token; the others are padding
  std::uint64_t targets = 0;    // tokens that are predicted
  std::uint64_t truncated = 0;  // documents that were cut off
  std::uint64_t dropped = 0;    // of those, documents with nothing left to predict
};

/// Refuses plain text that does not fill one row, and data of which nothing is left to predict.
Packing pack(const Dataset& dataset, std::uint32_t sequence_length, std::uint64_t seed);

/// Non-overlapping windows of at most `sequence_length` tokens within each document, packed into rows in
/// order. The first token of a window is not predicted.
Packing evaluation_windows(const Dataset& dataset, std::uint32_t sequence_length);

}  // namespace walsh
