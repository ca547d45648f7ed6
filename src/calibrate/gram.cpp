#include "calibrate/gram.h"

#include <algorithm>

#include "base/error.h"
#include "calibrate/gram_sum.h"
#include "ops/add.h"
#include "ops/swiglu.h"
#include "vk/recorder.h"

namespace walsh {
namespace {

constexpr std::uint32_t tokens_a_pass = 2048;

// The inputs of `count` sequences of equal length.
std::vector<std::uint32_t> packed(std::span<const std::vector<std::uint32_t>> sequences,
                                  const ModelConfig& config) {
  std::vector<std::uint32_t> ids, positions, begin, end;
  for (const auto& sequence : sequences) {
    const auto first = static_cast<std::uint32_t>(ids.size()),
               length = static_cast<std::uint32_t>(sequence.size());
    for (std::uint32_t i = 0; i < length; ++i) {
      ids.push_back(sequence[i]);
      positions.push_back(i);
      begin.push_back(first);
      end.push_back(first + length);
    }
  }
  std::vector<std::uint32_t> words(input_words(static_cast<std::uint32_t>(ids.size())));
  pack_inputs(words, {.ids = ids, .targets = {}, .positions = positions, .begin = begin, .end = end}, config,
              0);
  return words;
}

}  // namespace

const std::vector<double>& LayerGrams::of(const std::string& module) const {
  const std::string last = module.substr(module.rfind('.') + 1);
  if (last == "o_proj") return o;
  if (last == "down_proj") return down;
  return last == "gate_proj" || last == "up_proj" ? gate_up : qkv;
}

GramCollector::GramCollector(vk::Device& device, const WeightSource& model,
                             std::vector<std::vector<std::uint32_t>> sequences)
    : device_(device), model_(model), sequences_(std::move(sequences)) {
  require(!sequences_.empty() && !sequences_[0].empty(), "calibration: no sequences");
  length_ = static_cast<std::uint32_t>(sequences_[0].size());
  for (const auto& sequence : sequences_)
    require(sequence.size() == length_, "calibration: sequences of different lengths");
  sequences_a_pass_ =
      std::clamp<std::uint32_t>(tokens_a_pass / length_, 1, static_cast<std::uint32_t>(sequences_.size()));

  // The embedding of every token: rows of the table, read from the host.
  const ModelConfig& config = model.config();
  const std::vector<float> table = read_floats(model, find_weight(config, "model.embed_tokens.weight"));
  states_.reserve(sequences_.size() * length_ * config.hidden);
  for (const auto& sequence : sequences_) {
    for (const std::uint32_t id : sequence) {
      require(id < config.vocabulary_size, "calibration: token {} is beyond the vocabulary of {}", id,
              config.vocabulary_size);
      const auto row = table.begin() + static_cast<std::ptrdiff_t>(std::size_t{id} * config.hidden);
      states_.insert(states_.end(), row, row + config.hidden);
    }
  }
}

LayerGrams GramCollector::next() {
  LayerGrams grams;
  run(model_, &grams, true);
  ++layer_;
  return grams;
}

LayerGrams GramCollector::collect() {
  LayerGrams grams;
  run(model_, &grams, false);
  return grams;
}

void GramCollector::advance(const WeightSource& weights) {
  if (layer_ + 1 < model_.config().layers)
    run(weights, nullptr, true);  // nobody reads the last layer's output
  ++layer_;
}

void GramCollector::run(const WeightSource& weights, LayerGrams* grams, bool advance) {
  require(layer_ < model_.config().layers, "calibration: the model has {} layers", model_.config().layers);
  const std::size_t whole = sequences_.size() / sequences_a_pass_,
                    rest = sequences_.size() % sequences_a_pass_;
  run_passes(weights, grams, advance, 0, whole, sequences_a_pass_);
  // A last pass may hold fewer sequences; its tokens are another recording.
  if (rest > 0)
    run_passes(weights, grams, advance, whole * sequences_a_pass_, 1, static_cast<std::uint32_t>(rest));
}

void GramCollector::run_passes(const WeightSource& weights, LayerGrams* grams, bool advance,
                               std::size_t first_sequence, std::size_t passes, std::uint32_t sequences) {
  const ModelConfig& config = model_.config();
  const std::uint32_t tokens = sequences * length_;
  vk::Arena arena("calibration");
  Parameters none;
  FrozenMethod frozen({.arena = arena, .parameters = none});
  const LayerWeights layer = reserve_layer(arena, config, weights.format(), layer_, frozen);
  const std::vector<Linear*> linears{layer.qkv.get(), layer.o.get(), layer.gate_up.get(), layer.down.get()};
  reserve_reordered(arena, linears, tokens);
  ModelConfig one_layer = config;
  one_layer.layers = 1;
  one_layer.vocabulary_size = 1;
  const Activations a(arena, one_layer, tokens, 1, Pass::inference);
  const Tensor frequencies = reserve(arena, DType::f32, {config.head_dim / 2});
  const Tensor words = reserve(arena, DType::u32, {input_words(tokens)});
  std::vector<GramSum> sums;
  if (grams) {
    const auto add = [&](const Tensor& input, std::uint64_t width, std::vector<double>& total) {
      sums.emplace_back(arena, device_, input.view({tokens, width}), total);
    };
    add(a.scratch.attention_input, config.hidden, grams->qkv);
    add(a.layer(0).attended, config.query_width(), grams->o);
    add(a.scratch.mlp_input, config.hidden, grams->gate_up);
    add(a.scratch.activated, config.intermediate, grams->down);
  }
  arena.commit(device_);
  load_layer(device_, layer, weights, layer_);
  device_.upload(frequencies, inverse_frequencies(config));

  vk::Recorder rec(device_);
  layer_forward(rec, {&config, frequencies}, layer, advance ? LayerEnd::projected : LayerEnd::activations,
                {a.residual[0]}, a.layer(0), a.scratch, view_inputs(words, tokens));
  if (advance) {
    add(rec, a.residual[1], a.layer(0).middle, a.scratch.projected);
  } else {  // the input of down
    swiglu_forward(rec, a.scratch.activated, a.layer(0).gate, a.layer(0).up);
  }
  for (const GramSum& sum : sums) sum.record(rec);
  vk::Recording recording = rec.finish();
  const std::size_t state_size = std::size_t{tokens} * config.hidden;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    const std::size_t sequence = first_sequence + pass * sequences;
    float* state = states_.data() + sequence * length_ * config.hidden;
    device_.upload(words, packed(std::span(sequences_).subspan(sequence, sequences), config));
    device_.upload(a.residual[0], state, state_size * 4);
    device_.wait(device_.submit(recording));
    if (advance) device_.download(state, a.residual[1], state_size * 4);
    for (GramSum& sum : sums) sum.take(device_);
  }
  for (GramSum& sum : sums) sum.finish();
}

}  // namespace walsh
