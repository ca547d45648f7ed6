// Batches: rows of a packing, flattened to B x L tokens, with what attention and the loss need of each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/packing.h"

namespace walsh {

/// One value a token of the flattened batch (T = rows x sequence_length). Padding is a document of its own
/// per row, with token 0 and nothing to predict.
struct Batch {
  std::vector<std::uint32_t> ids;
  std::vector<std::int32_t> targets;     // the token to predict, -1: none
  std::vector<std::uint32_t> positions;  // within the document's piece, from 0
  std::vector<std::uint32_t> begin;      // index in the batch of the first token of this token's piece
  std::vector<std::uint32_t> end;        // one past its last
  std::uint64_t target_count = 0;
};

/// The given rows; missing rows (fewer than `rows`) are all padding.
Batch make_batch(const Dataset& dataset, const Packing& packing, std::span<const std::uint32_t> row_indices,
                 std::uint32_t rows);

/// Where a run stands in its data: the next row is number `index` of epoch `epoch`.
struct DataPosition {
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;
  bool operator==(const DataPosition&) const = default;
};

/// An endless stream of batches: the rows in an order that each epoch shuffles anew; a batch at an epoch's
/// end goes on with the next one's rows. The order depends on the seed alone, so a position is all that a
/// resume needs. Keeps references to the data set and the packing.
class BatchStream {
 public:
  BatchStream(const Dataset& dataset, const Packing& packing, std::uint32_t batch_size, std::uint64_t seed);

  Batch next();

  DataPosition position() const { return position_; }
  /// Refuses a position beyond the epoch's rows.
  void seek(DataPosition position);

  std::uint64_t rows_per_epoch() const { return packing_.rows.size(); }

 private:
  const Dataset& dataset_;
  const Packing& packing_;
  std::uint32_t batch_size_;
  std::uint64_t seed_;
  DataPosition position_;
  std::vector<std::uint32_t> order_;  // of the current epoch
};

/// Batches that hold every row once, in order: for evaluation. The last one may be partly padding.
class BatchSweep {
 public:
  BatchSweep(const Dataset& dataset, const Packing& packing, std::uint32_t batch_size);

  std::uint64_t size() const { return (packing_.rows.size() + batch_size_ - 1) / batch_size_; }
  Batch at(std::uint64_t index) const;

 private:
  const Dataset& dataset_;
  const Packing& packing_;
  std::uint32_t batch_size_;
};

}  // namespace walsh
