#include "train/evaluate.h"

#include <cmath>

#include "base/error.h"
#include "train/batch_inputs.h"

namespace walsh {

double Evaluation::perplexity() const { return std::exp(loss); }

Evaluator::Evaluator(vk::Device& device, const Session& session, std::uint32_t batch_size,
                     std::uint32_t sequence_length, vk::Precision operands)
    : device_(device),
      session_(session),
      batch_size_(batch_size),
      sequence_length_(sequence_length),
      own_memory_(std::make_unique<PassMemory>(session.config(), batch_size * sequence_length,
                                               logit_rows(session.config(), batch_size * sequence_length),
                                               Pass::inference)),
      memory_(*own_memory_) {
  memory_.arena.commit(device);
  record(operands);
}

Evaluator::Evaluator(vk::Device& device, const Session& session, PassMemory& memory, std::uint32_t batch_size,
                     std::uint32_t sequence_length, vk::Precision operands)
    : device_(device),
      session_(session),
      batch_size_(batch_size),
      sequence_length_(sequence_length),
      memory_(memory) {
  record(operands);
}

void Evaluator::record(vk::Precision operands) {
  vk::Recorder before(device_);
  session_.model().prepare(before);
  prepare_ = before.finish();
  vk::Recorder rec(device_, false, operands);
  session_.model().forward(rec, memory_.activations, memory_.inputs);
  session_.model().loss(rec, memory_.activations, memory_.inputs, false);
  recording_ = rec.finish();
}

std::vector<float> Evaluator::losses(const Batch& batch) {
  std::vector<std::uint32_t> words(memory_.words.shape[0]);
  pack_inputs(words, batch_inputs(batch), session_.config(), 0);
  device_.upload(memory_.words, words);
  device_.wait(device_.submit(*recording_));
  return device_.download<float>(memory_.activations.losses);
}

Evaluation Evaluator::run(const Dataset& dataset) {
  const Packing windows = evaluation_windows(dataset, sequence_length_);
  const BatchSweep sweep(dataset, windows, batch_size_);
  Evaluation result;
  double total = 0;
  device_.submit(*prepare_);
  for (std::uint64_t i = 0; i < sweep.size(); ++i) {
    const Batch batch = sweep.at(i);
    for (const float loss : losses(batch)) total += loss;
    result.tokens += batch.target_count;
  }
  require(result.tokens > 0, "the evaluation data has nothing to predict");
  result.loss = total / static_cast<double>(result.tokens);
  return result;
}

ChoiceAccuracy Evaluator::run(const std::vector<ChoiceItem>& items) {
  // Every option of every item is a document; its score is the sum over its trained tokens.
  Dataset options;
  for (const ChoiceItem& item : items)
    options.documents.insert(options.documents.end(), item.options.begin(), item.options.end());
  const Packing windows = evaluation_windows(options, sequence_length_);
  const BatchSweep sweep(options, windows, batch_size_);
  std::vector<double> score(options.documents.size(), 0.0);
  device_.submit(*prepare_);
  for (std::uint64_t i = 0; i < sweep.size(); ++i) {
    const std::vector<float> loss = losses(sweep.at(i));
    for (std::uint32_t r = 0; r < batch_size_ && i * batch_size_ + r < windows.rows.size(); ++r) {
      std::size_t at = std::size_t{r} * sequence_length_;
      for (const Piece& piece : windows.rows[i * batch_size_ + r]) {
        for (std::uint32_t t = 0; t < piece.length; ++t) score[piece.document] -= loss[at++];
      }
    }
  }
  ChoiceAccuracy result;
  std::size_t first = 0;
  for (const ChoiceItem& item : items) {
    std::size_t best = 0, best_norm = 0;
    const auto norm = [&](std::size_t option) {
      return score[first + option] / std::max(1u, item.bytes[option]);
    };
    for (std::size_t option = 1; option < item.options.size(); ++option) {
      if (score[first + option] > score[first + best]) best = option;
      if (norm(option) > norm(best_norm)) best_norm = option;
    }
    result.accuracy += best == item.gold;
    result.accuracy_norm += best_norm == item.gold;
    first += item.options.size();
  }
  result.items = items.size();
  result.accuracy /= static_cast<double>(items.size());
  result.accuracy_norm /= static_cast<double>(items.size());
  return result;
}

}  // namespace walsh
