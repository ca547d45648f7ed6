// Packing and batches: every token is predicted as often as it should be, each in its own document, in an
// order that a seed and a position fix.
#include "data/packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "data/batches.h"
#include "data/shuffle.h"

namespace walsh {
namespace {

// Documents of the given lengths with ids that name document and place: 1000 d + i.
Dataset documents(const std::vector<std::uint32_t>& lengths, bool divisible) {
  Dataset dataset{.documents = {}, .divisible = divisible, .plain_text = divisible, .dropped = 0};
  for (std::uint32_t d = 0; d < lengths.size(); ++d) {
    Document document;
    for (std::uint32_t i = 0; i < lengths[d]; ++i) document.ids.push_back(1000 * (d + 1) + i);
    document.trained.assign(lengths[d], true);
    document.trained[0] = false;
    dataset.documents.push_back(std::move(document));
  }
  return dataset;
}

std::vector<std::uint32_t> some_lengths(std::size_t count, std::uint32_t longest) {
  Philox random(3);
  std::vector<std::uint32_t> lengths(count);
  for (auto& length : lengths) length = 2 + random.below(longest - 1);
  return lengths;
}

// How often each id is a target.
std::map<std::uint32_t, int> predictions(const Dataset& dataset, const Packing& packing) {
  std::map<std::uint32_t, int> count;
  for (const auto& row : packing.rows) {
    for (const Piece& piece : row) {
      const Document& document = dataset.documents[piece.document];
      for (std::uint32_t i = piece.begin + 1; i <= piece.begin + piece.length; ++i) {
        if (document.trained[i]) ++count[document.ids[i]];
      }
    }
  }
  return count;
}

TEST(Packing, PredictsEveryTokenOfATextOnce) {
  for (const std::uint32_t length : {1u, 2u, 7u, 16u, 64u, 300u}) {
    const Dataset dataset = documents(some_lengths(50, 100), true);
    const Packing packing = pack(dataset, length, 5);
    const auto count = predictions(dataset, packing);
    EXPECT_EQ(count.size(), dataset.targets());
    EXPECT_EQ(packing.targets, dataset.targets());
    EXPECT_TRUE(std::all_of(count.begin(), count.end(), [](const auto& entry) { return entry.second == 1; }));
    std::uint64_t tokens = 0;
    for (const auto& row : packing.rows) {
      std::uint32_t used = 0;
      for (const Piece& piece : row) used += piece.length;
      EXPECT_GE(used, 1u);
      EXPECT_LE(used, length);
      tokens += used;
    }
    EXPECT_EQ(tokens, packing.tokens);
    EXPECT_EQ(packing.truncated, 0u);
  }
}

TEST(Packing, LeavesLittleRoom) {
  const Packing packing = pack(documents(some_lengths(2000, 400), true), 512, 1);
  EXPECT_GT(static_cast<double>(packing.tokens), 0.98 * 512.0 * static_cast<double>(packing.rows.size()));
}

TEST(Packing, TruncatesAndCounts) {
  Dataset dataset = documents({10, 5, 9, 40}, false);
  std::fill_n(dataset.documents[3].trained.begin(), 20, false);  // its prompt alone is longer than a row
  const Packing packing = pack(dataset, 8, 1);
  EXPECT_EQ(packing.truncated, 2u);
  EXPECT_EQ(packing.dropped, 1u);
  const auto count = predictions(dataset, packing);
  EXPECT_EQ(count.size(), 8u + 4u + 8u);
  EXPECT_FALSE(count.contains(1009));
  EXPECT_EQ(packing.rows.size(), 3u);
}

TEST(Packing, RefusesWhatFillsNothing) {
  EXPECT_THROW(pack(documents({5, 4}, true), 10, 1), Error);
  EXPECT_EQ(pack(documents({6, 4}, true), 10, 1).rows.size(), 1u);
  EXPECT_EQ(pack(documents({5, 4}, false), 10, 1).rows.size(), 1u);
  Dataset masked = documents({40}, false);
  std::fill_n(masked.documents[0].trained.begin(), 30, false);
  EXPECT_THROW(pack(masked, 10, 1), Error);
  EXPECT_THROW(pack(documents({5}, false), 0, 1), Error);
}

TEST(EvaluationWindows, DoNotOverlapAndStayInTheirDocument) {
  const Dataset dataset = documents({20, 8, 2, 9}, true);
  const Packing packing = evaluation_windows(dataset, 8);
  const auto count = predictions(dataset, packing);
  // Windows of 8, 8, 4 | 8 | 2 | 8 tokens (a last one of 1 token predicts nothing), each without its first
  // token.
  EXPECT_EQ(packing.targets, 7u + 7u + 3u + 7u + 1u + 7u);
  EXPECT_EQ(count.size(), packing.targets);
  EXPECT_FALSE(count.contains(1008));
  EXPECT_TRUE(count.contains(1009));
  EXPECT_THROW(evaluation_windows(dataset, 1), Error);
  EXPECT_EQ(evaluation_windows(documents({3}, true), 2048).targets, 2u);
}

TEST(Batch, KnowsItsDocuments) {
  Dataset dataset = documents({4, 3, 7}, false);
  dataset.documents[1].trained[1] = false;
  const Packing packing{.sequence_length = 6, .rows = {{{0, 0, 3}, {1, 0, 2}}, {{2, 0, 6}}}};
  const Batch batch = make_batch(dataset, packing, std::vector<std::uint32_t>{0, 1}, 3);
  using U = std::vector<std::uint32_t>;
  EXPECT_EQ(batch.ids,
            (U{1000, 1001, 1002, 2000, 2001, 0, 3000, 3001, 3002, 3003, 3004, 3005, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(batch.targets, (std::vector<std::int32_t>{1001, 1002, 1003, -1, 2002, -1, 3001, 3002, 3003, 3004,
                                                      3005, 3006, -1, -1, -1, -1, -1, -1}));
  EXPECT_EQ(batch.positions, (U{0, 1, 2, 0, 1, 0, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(batch.begin, (U{0, 0, 0, 3, 3, 5, 6, 6, 6, 6, 6, 6, 12, 12, 12, 12, 12, 12}));
  EXPECT_EQ(batch.end, (U{3, 3, 3, 5, 5, 6, 12, 12, 12, 12, 12, 12, 18, 18, 18, 18, 18, 18}));
  EXPECT_EQ(batch.target_count, 3u + 1u + 6u);
}

TEST(BatchStream, EveryRowOnceAnEpochInANewOrder) {
  const Dataset dataset = documents(some_lengths(40, 30), true);
  const Packing packing = pack(dataset, 16, 9);
  const auto rows = static_cast<std::uint32_t>(packing.rows.size());
  BatchStream stream(dataset, packing, 1, 9);
  std::vector<std::vector<std::uint32_t>> orders;
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::map<std::uint32_t, int> seen;
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < rows; ++i) {
      EXPECT_EQ(stream.position(), (DataPosition{static_cast<std::uint64_t>(epoch), i}));
      const Batch batch = stream.next();
      for (const auto target : batch.targets) {
        if (target >= 0) ++seen[static_cast<std::uint32_t>(target)];
      }
      order.push_back(batch.ids[0]);
    }
    EXPECT_EQ(seen.size(), packing.targets);
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& entry) { return entry.second == 1; }));
    orders.push_back(order);
  }
  EXPECT_NE(orders[0], orders[1]);
}

TEST(BatchStream, ResumesWhereItStood) {
  const Dataset dataset = documents(some_lengths(40, 30), true);
  const Packing packing = pack(dataset, 16, 9);
  BatchStream stream(dataset, packing, 3, 9);
  for (int step = 0; step < 25; ++step) {
    const auto position = stream.position();
    const Batch expected = stream.next();
    const Packing again = pack(dataset, 16, 9);
    BatchStream resumed(dataset, again, 3, 9);
    resumed.seek(position);
    const Batch batch = resumed.next();
    EXPECT_EQ(batch.ids, expected.ids);
    EXPECT_EQ(batch.targets, expected.targets);
    EXPECT_EQ(batch.begin, expected.begin);
    EXPECT_EQ(resumed.position(), stream.position());
  }
  EXPECT_GT(stream.position().epoch, 0u);
  EXPECT_THROW(stream.seek({0, packing.rows.size()}), Error);
  BatchStream other(dataset, packing, 3, 10);
  stream.seek({});
  EXPECT_NE(other.next().ids, stream.next().ids);
}

TEST(BatchStream, FewerRowsThanABatchHolds) {
  const Dataset dataset = documents({9, 9}, false);
  const Packing packing = pack(dataset, 8, 1);
  BatchStream stream(dataset, packing, 5, 1);
  EXPECT_EQ(stream.next().target_count, 5u * 8u);
  EXPECT_EQ(stream.position(), (DataPosition{2, 1}));
  EXPECT_THROW(BatchStream(dataset, packing, 0, 1), Error);
  EXPECT_THROW(BatchStream(dataset, packing, 4'000'000'000u, 1), Error);
}

TEST(BatchSweep, EveryRowOnceInOrder) {
  const Dataset dataset = documents(some_lengths(40, 30), true);
  const Packing packing = evaluation_windows(dataset, 16);
  const BatchSweep sweep(dataset, packing, 4);
  EXPECT_EQ(sweep.size(), (packing.rows.size() + 3) / 4);
  std::uint64_t targets = 0;
  for (std::uint64_t i = 0; i < sweep.size(); ++i) {
    const Batch batch = sweep.at(i);
    EXPECT_EQ(batch.ids.size(), 4u * 16u);
    targets += batch.target_count;
  }
  EXPECT_EQ(targets, packing.targets);
}

TEST(Shuffle, IsAPermutationForEachSeedStreamAndEpoch) {
  std::set<std::vector<std::uint32_t>> orders;
  for (const std::uint64_t seed : {1u, 2u}) {
    for (const auto stream : {ShuffleStream::documents, ShuffleStream::rows}) {
      for (const std::uint64_t epoch : {0u, 1u}) {
        auto order = shuffled(100, seed, stream, epoch);
        EXPECT_EQ(order, shuffled(100, seed, stream, epoch));
        orders.insert(order);
        std::sort(order.begin(), order.end());
        for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
      }
    }
  }
  EXPECT_EQ(orders.size(), 8u);
  EXPECT_TRUE(shuffled(0, 1, ShuffleStream::rows, 0).empty());
}

}  // namespace
}  // namespace walsh
