// A model on the device and its passes, one call each, for tests that compare numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "calibrate/initialise.h"
#include "methods/qwha.h"
#include "model/weights.h"
#include "quantize/rtn.h"
#include "tests/support/gpu.h"
#include "tests/support/tiny_model.h"
#include "train/session.h"

namespace walsh::test {

/// Sequences one after another, each attending to itself; every token but a sequence's last predicts the
/// next.
struct Sequences {
  explicit Sequences(const std::vector<std::vector<std::uint32_t>>& sequences) {
    for (const auto& sequence : sequences) {
      const auto first = static_cast<std::uint32_t>(ids.size()),
                 length = static_cast<std::uint32_t>(sequence.size());
      for (std::uint32_t i = 0; i < length; ++i) {
        ids.push_back(sequence[i]);
        targets.push_back(i + 1 < length ? static_cast<std::int32_t>(sequence[i + 1]) : -1);
        positions.push_back(i);
        begin.push_back(first);
        end.push_back(first + length);
        predicted += i + 1 < length;
      }
    }
  }
  TokenBatch batch() const { return {ids, targets, positions, begin, end}; }

  std::vector<std::uint32_t> ids, positions, begin, end;
  std::vector<std::int32_t> targets;
  std::uint32_t predicted = 0;
};

/// A sparse adapter as it stands on the device.
struct SparseAdapter {
  std::string name;
  QwhaCoefficients coefficients;
};

class DeviceModel {
 public:
  /// With `rank` a QWHA adapter of random supports on every projection, its values normal with the spread
  /// `values`.
  explicit DeviceModel(const WeightSource& source, std::uint32_t tokens = 64, std::uint32_t rank = 0,
                       float values = 0)
      : config_(source.config()) {
    options_.rank = rank;
    open(source, nullptr, tokens, rank > 0);
    Philox random(3, 1);
    for (const Parameter& parameter : session_->parameters().all()) {
      std::vector<float> drawn(parameter.value.shape.elements());
      for (float& value : drawn) value = values * random.normal();
      device().upload(parameter.value, drawn);
    }
    if (rank == 0) return;
    for (const QwhaAdapter& a : dynamic_cast<const QwhaMethod&>(session_->method()).adapters()) {
      auto columns = device().download<std::uint16_t>(a.support.columns_of);
      columns.resize(a.support.nonzeros);
      adapters.push_back(
          {a.name,
           {a.support.rows, a.support.columns, device().download<std::uint32_t>(a.support.row_ptr),
            std::move(columns), read(a.values.value)}});
    }
  }

  /// Any method, from its own start; `original`: the weights before quantisation, or null.
  DeviceModel(const WeightSource& source, const RunOptions& options, const WeightSource* original,
              std::uint32_t tokens = 64)
      : config_(source.config()), options_(options) {
    open(source, original, tokens, true);
  }

  struct Result {
    std::vector<float> losses;  // [T], 0 where nothing is predicted
    std::vector<float> logits;  // [T, V]
    double loss = 0;            // mean over the predictions
  };
  Result forward(const Sequences& sequences) {
    const auto tokens = static_cast<std::uint32_t>(sequences.ids.size());
    PassMemory memory(config_, tokens, tokens, Pass::inference);
    upload(memory, sequences);
    run([&](vk::Recorder& rec) {
      session_->model().prepare(rec);
      session_->model().forward(rec, memory.activations, memory.inputs);
      session_->model().loss(rec, memory.activations, memory.inputs, false);
    });
    Result result{device().download<float>(memory.activations.losses), {}, 0};
    for (const float loss : result.losses) result.loss += static_cast<double>(loss) / sequences.predicted;
    run([&](vk::Recorder& rec) { session_->model().logits(rec, memory.activations, 0, tokens); });
    result.logits = device().download<float>(memory.activations.logits);
    return result;
  }

  /// Gradients of the mean loss, one vector a parameter; with `add` on top of the last ones.
  std::vector<std::vector<float>> gradients(const Sequences& sequences, bool add = false,
                                            Pass pass = Pass::training) {
    const auto tokens = static_cast<std::uint32_t>(sequences.ids.size());
    // Several chunks of logits, where the device lets a row of losses begin that often.
    const auto aligned = static_cast<std::uint32_t>(device().info().limits.storage_alignment / 4);
    PassMemory memory(config_, tokens, std::min(tokens, std::max(16u, aligned)), pass);
    upload(memory, sequences);
    for (const Parameter& parameter : session_->parameters().all()) {
      if (!add) device().clear(parameter.gradient);
    }
    run([&](vk::Recorder& rec) {
      session_->model().prepare(rec);
      session_->model().forward(rec, memory.activations, memory.inputs);
      session_->model().loss(rec, memory.activations, memory.inputs, true);
      session_->model().backward(rec, memory.activations, memory.inputs);
    });
    std::vector<std::vector<float>> all;
    for (const Parameter& parameter : session_->parameters().all()) all.push_back(read(parameter.gradient));
    return all;
  }

  Session& session() { return *session_; }
  std::vector<SparseAdapter> adapters;

 private:
  void open(const WeightSource& source, const WeightSource* original, std::uint32_t tokens, bool adapter) {
    session_ = std::make_unique<Session>(source.config(), source.format(), options_, tokens, adapter);
    if (adapter) {
      std::vector<std::vector<std::uint32_t>> calibration(4, std::vector<std::uint32_t>(16));
      Philox random(11, 2);
      for (auto& sequence : calibration) {
        for (std::uint32_t& id : sequence)
          id = static_cast<std::uint32_t>(random.uniform() * static_cast<float>(config_.vocabulary_size));
      }
      start_method(device(), session_->method(), original, source, std::move(calibration));
    }
    session_->commit(device(), true);
    session_->load(device(), source);
  }

  void upload(PassMemory& memory, const Sequences& sequences) {
    memory.arena.commit(device());
    std::vector<std::uint32_t> words(memory.words.shape[0]);
    pack_inputs(words, sequences.batch(), config_, 1.0f / static_cast<float>(sequences.predicted));
    device().upload(memory.words, words);
  }

  ModelConfig config_;
  RunOptions options_;
  std::unique_ptr<Session> session_;
};

}  // namespace walsh::test
