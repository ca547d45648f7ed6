// Documents: token ids and which of them the model is trained to predict.
#pragma once

#include <cstdint>
#include <vector>

namespace walsh {

struct Document {
  std::vector<std::uint32_t> ids;
  std::vector<bool> trained;  // one a token; the first token has nothing before it and is never predicted

  std::size_t targets() const;
};

struct Dataset {
  std::vector<Document> documents;
  /// Plain text may be cut anywhere; a row of prompt and completion is cut off at the end.
  bool divisible = false;
  /// A text, which must fill at least one sequence to be trained on.
  bool plain_text = false;
  /// Rows in which nothing is left to predict.
  std::uint64_t dropped = 0;

  std::uint64_t tokens() const;
  std::uint64_t targets() const;
};

}  // namespace walsh
