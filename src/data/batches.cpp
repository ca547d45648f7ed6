#include "data/batches.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "data/shuffle.h"

namespace walsh {
namespace {

void append_piece(Batch& batch, const Document& document, const Piece& piece) {
  const auto first = static_cast<std::uint32_t>(batch.ids.size());
  for (std::uint32_t i = 0; i < piece.length; ++i) {
    const std::size_t token = std::size_t{piece.begin} + i;
    const bool trained = document.trained[token + 1];
    batch.ids.push_back(document.ids[token]);
    batch.targets.push_back(trained ? static_cast<std::int32_t>(document.ids[token + 1]) : -1);
    batch.positions.push_back(i);
    batch.begin.push_back(first);
    batch.end.push_back(first + piece.length);
    batch.target_count += trained;
  }
}

void append_padding(Batch& batch, std::size_t size) {
  const auto first = static_cast<std::uint32_t>(batch.ids.size());
  for (std::uint32_t i = 0; first + i < size; ++i) {
    batch.ids.push_back(0);
    batch.targets.push_back(-1);
    batch.positions.push_back(i);
    batch.begin.push_back(first);
    batch.end.push_back(static_cast<std::uint32_t>(size));
  }
}

void check_size(const Packing& packing, std::uint32_t batch_size) {
  require(batch_size >= 1, "the batch size must be at least 1");
  require(std::uint64_t{batch_size} * packing.sequence_length <= std::numeric_limits<std::int32_t>::max(),
          "{} sequences of {} tokens are too large a batch", batch_size, packing.sequence_length);
}

}  // namespace

Batch make_batch(const Dataset& dataset, const Packing& packing, std::span<const std::uint32_t> row_indices,
                 std::uint32_t rows) {
  Batch batch;
  const std::size_t length = packing.sequence_length;
  for (auto* column : {&batch.ids, &batch.positions, &batch.begin, &batch.end})
    column->reserve(rows * length);
  batch.targets.reserve(rows * length);
  for (std::uint32_t row = 0; row < rows; ++row) {
    if (row < row_indices.size()) {
      for (const Piece& piece : packing.rows[row_indices[row]]) {
        append_piece(batch, dataset.documents[piece.document], piece);
      }
    }
    append_padding(batch, (row + 1) * length);
  }
  return batch;
}

BatchStream::BatchStream(const Dataset& dataset, const Packing& packing, std::uint32_t batch_size,
                         std::uint64_t seed)
    : dataset_(dataset), packing_(packing), batch_size_(batch_size), seed_(seed) {
  check_size(packing, batch_size);
  seek({});
}

void BatchStream::seek(DataPosition position) {
  require(position.index < packing_.rows.size(), "row {} of epoch {} is beyond the data's {} rows",
          position.index, position.epoch, packing_.rows.size());
  position_ = position;
  order_ = shuffled(packing_.rows.size(), seed_, ShuffleStream::rows, position.epoch);
}

Batch BatchStream::next() {
  std::vector<std::uint32_t> rows;
  while (rows.size() < batch_size_) {
    rows.push_back(order_[position_.index]);
    if (++position_.index == packing_.rows.size()) seek({position_.epoch + 1, 0});
  }
  return make_batch(dataset_, packing_, rows, batch_size_);
}

BatchSweep::BatchSweep(const Dataset& dataset, const Packing& packing, std::uint32_t batch_size)
    : dataset_(dataset), packing_(packing), batch_size_(batch_size) {
  check_size(packing, batch_size);
}

Batch BatchSweep::at(std::uint64_t index) const {
  std::vector<std::uint32_t> rows;
  const auto first = index * batch_size_;
  for (auto row = first; row < std::min<std::uint64_t>(first + batch_size_, packing_.rows.size()); ++row) {
    rows.push_back(static_cast<std::uint32_t>(row));
  }
  return make_batch(dataset_, packing_, rows, batch_size_);
}

}  // namespace walsh
