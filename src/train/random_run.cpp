#include "train/random_run.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <random>

#include "calibrate/initialise.h"
#include "methods/qwha_options.h"
#include "vk/tuned.h"

namespace walsh {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Sequences of random tokens, each predicting its next.
struct RandomBatch {
  std::vector<std::uint32_t> ids, positions, begin, end;
  std::vector<std::int32_t> targets;

  RandomBatch(const ModelConfig& config, std::uint32_t batch_size, std::uint32_t length, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::uint32_t sequence = 0; sequence < batch_size; ++sequence) {
      for (std::uint32_t position = 0; position < length; ++position) {
        ids.push_back(static_cast<std::uint32_t>(random() % config.vocabulary_size));
        positions.push_back(position);
        begin.push_back(sequence * length);
        end.push_back((sequence + 1) * length);
      }
      for (std::uint32_t position = 0; position < length; ++position)
        targets.push_back(
            position + 1 < length ? static_cast<std::int32_t>(ids[sequence * length + position + 1]) : -1);
    }
  }
  TokenBatch tokens() const {
    return {.ids = ids, .targets = targets, .positions = positions, .begin = begin, .end = end};
  }
};

}  // namespace

RandomRun::RandomRun(vk::Device& device, const ModelConfig& config, const WeightFormat& format,
                     const RunOptions& options, bool frozen, vk::Precision operands)
    : options_(options),
      source_(random_model(config, format, options.seed)),
      session_(config, format, options, options.batch_size * options.sequence_length, !frozen),
      memory_(config, options.batch_size * options.sequence_length,
              logit_rows(config, options.batch_size * options.sequence_length), training_pass(options)) {
  if (!frozen)
    start_method(device, session_.method(), format.bits == 0 ? source_.get() : nullptr, *source_, {});
  session_.commit(device, true);
  session_.load(device, *source_);
  memory_.arena.commit(device);
  step_ =
      std::make_unique<TrainingStep>(device, session_, memory_,
                                     StepOptions{.grad_accumulation = options.grad_accumulation,
                                                 .weight_decay = static_cast<float>(options.weight_decay),
                                                 .max_grad_norm = static_cast<float>(options.max_grad_norm),
                                                 .operands = operands});
}

StepTimes RandomRun::time(std::uint32_t steps, double patience) {
  std::vector<RandomBatch> data;  // two sets, so that no cache holds a step's whole input
  for (std::uint64_t set = 0; set < 2; ++set)
    data.emplace_back(session_.config(), options_.batch_size, options_.sequence_length, options_.seed + set);
  const auto run = [&](std::uint32_t number) {
    const std::vector<TokenBatch> micro_batches(options_.grad_accumulation,
                                                data[number % data.size()].tokens());
    const auto start = Clock::now();
    step_->submit(number, micro_batches, options_.learning_rate);
    step_->result();
    return seconds_since(start);
  };
  run(0);  // measures its pieces
  run(1);  // the first whole one compiles nothing and allocates nothing any more
  const double host_before = step_->host_seconds();
  std::vector<double> seconds;
  const auto began = Clock::now();
  for (std::uint32_t number = 2; seconds.size() < steps; ++number) {
    seconds.push_back(run(number));
    if (seconds_since(began) > patience) break;
  }
  double total = 0;
  for (const double s : seconds) total += s;
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::ranges::nth_element(seconds, middle);
  return {*middle, (step_->host_seconds() - host_before) / total};
}

std::string choose_qwha_ways(vk::Device& device, const ModelConfig& config, const WeightFormat& format,
                             RunOptions& options, vk::Precision operands) {
  if (options.method != "qwha" || options.deterministic_plan || options.offload) return {};
  const auto open = [&](const char* key, std::vector<std::string> values) {
    const auto given = options.set.find(key);
    return given == options.set.end() ? values : std::vector<std::string>{given->second};
  };
  const auto products = open("qwha.product", {"activations", "weights"}),
             gradients = open("qwha.gradient", {"sampled", "dense", "gathered"});
  if (products.size() * gradients.size() == 1) return {};
  // The shape of a layer and of a step is all that the answer depends on.
  const std::string question = fmt::format(
      "qwha {}.{} of {}: {} x {} heads {}/{} of {}, {} bits, groups of {}, {} tokens, rank {}, density {}, "
      "blocks of {}, {}",
      fmt::join(products, "|"), fmt::join(gradients, "|"), vk::name_of(operands), config.hidden,
      config.intermediate, config.heads, config.kv_heads, config.head_dim, format.bits, format.group_size,
      options.batch_size * options.sequence_length, options.rank, qwha_options(options.set, 0).density,
      qwha_options(options.set, 0).block_rows, options.targets);
  const auto known = vk::recall(device.info(), question);
  if (known) {
    const std::size_t space = std::min(known->find(' '), known->size());
    options.set["qwha.product"] = known->substr(0, space);
    options.set["qwha.gradient"] = known->substr(std::min(space + 1, known->size()));
    return fmt::format("measured before: qwha.product={}, qwha.gradient={}", options.set.at("qwha.product"),
                       options.set.at("qwha.gradient"));
  }
  ModelConfig layer = config;
  layer.layers = 1;
  layer.vocabulary_size = std::min(config.vocabulary_size, 1024u);  // the head is the same by every way
  RunOptions trial = options;
  trial.grad_accumulation = 1;
  double best = std::numeric_limits<double>::infinity(), first = 0;
  for (const std::string& product : products)
    for (const std::string& gradient : gradients) {
      trial.set["qwha.product"] = product;
      trial.set["qwha.gradient"] = gradient;
      const double seconds = RandomRun(device, layer, format, trial, false, operands).time(5, 1).seconds;
      if (first == 0) first = seconds;
      if (seconds >= best) continue;
      best = seconds;
      options.set["qwha.product"] = product;
      options.set["qwha.gradient"] = gradient;
    }
  vk::remember(device.info(), question,
               options.set.at("qwha.product") + " " + options.set.at("qwha.gradient"));
  return fmt::format(
      "measured on one layer: qwha.product={}, qwha.gradient={}, {:.2f} of the time of {} and {}",
      options.set.at("qwha.product"), options.set.at("qwha.gradient"), best / first, products.front(),
      gradients.front());
}

}  // namespace walsh
