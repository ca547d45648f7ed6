#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "calibrate/initialise.h"
#include "calibrate/quantize_model.h"
#include "data/batches.h"
#include "data/datasets.h"
#include "io/gptq.h"
#include "io/model_folder.h"
#include "methods/registry.h"
#include "model/model_files.h"
#include "train/batch_inputs.h"
#include "train/calibration_data.h"
#include "train/effective.h"
#include "train/evaluate.h"
#include "train/generate.h"
#include "train/plan.h"
#include "train/precision.h"
#include "train/random_run.h"
#include "train/report.h"
#include "train/run_folder.h"
#include "train/schedule.h"
#include "train/session.h"
#include "train/step.h"
#include "train/trace.h"

namespace walsh {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One run, from its options to its files; the members are in the order in which they come to be.
class Run {
 public:
  Run(vk::Device& device, const RunOptions& options, TrainListener& listener, const std::atomic<bool>& stop)
      : device_(device),
        o_(options),
        precision_(choose_precision(device.info(), o_.precision)),
        listener_(listener),
        stop_(stop),
        run_(options.out) {
    // What ran, so that a resumed run rounds alike wherever it goes on.
    o_.precision = vk::name_of(precision_.operands);
  }

  TrainReport fresh();
  TrainReport resumed();

 private:
  void open_model();
  void open_data();
  void describe_data();
  void make_base(const fs::path& folder);
  void start(const RunBase& base);
  void build();
  TrainReport loop(Progress progress);
  void save(const Progress& progress);
  void evaluate(std::uint32_t step, TrainReport& report, Metrics& metrics);
  void finish(std::uint32_t step, TrainReport& report, Metrics& metrics);
  void write_probe();

  std::uint32_t tokens() const { return o_.batch_size * o_.sequence_length; }
  const MethodEntry& method() const { return find_method(o_.method); }
  bool own_grid() const { return method().base == BaseRule::own_grid; }
  bool quantises() const { return o_.bits > 0 && original_->format().bits == 0 && !own_grid(); }
  WeightFormat base_format() const;

  vk::Device& device_;
  RunOptions o_;
  ChosenPrecision precision_;
  TrainListener& listener_;
  const std::atomic<bool>& stop_;
  fs::path run_;  // where files go: staged at first, then options.out
  std::unique_ptr<WeightSource> original_, base_;
  std::unique_ptr<TextEncoder> encoder_;
  Dataset data_;
  std::optional<Dataset> eval_data_;
  Packing packing_;
  CalibrationText calibration_;
  std::vector<std::uint32_t> sample_prompt_;
  std::uint32_t steps_ = 0;
  std::unique_ptr<Session> session_;
  std::unique_ptr<PassMemory> memory_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<Evaluator> evaluator_;
  std::unique_ptr<Generator> generator_;
};

void Run::open_model() {
  const fs::path model = o_.model;
  if (o_.random_weights) {
    original_ = random_model(read_config(model), {.dense = DType::bf16}, *o_.random_weights);
  } else {
    original_ = walsh::open_model(model);
  }
  const WeightFormat format = original_->format();
  require(o_.bits == 0 || format.bits == 0 || format.bits == o_.bits || own_grid(),
          "{}: quantised to {} bits already, --bits asks for {}; leave --bits out", o_.model, format.bits,
          o_.bits);
  const BaseRule rule = method().base;
  require(o_.bits > 0 || format.bits > 0 || rule != BaseRule::quantized,
          "{}: the model is not quantised and {} trains on a quantised one; give --bits 2, 3, 4 or 8",
          o_.model, o_.method);
  require(format.bits == 0 || rule == BaseRule::quantized || rule == BaseRule::any,
          "{}: quantised to {} bits, and {} trains on an unquantised model; name that, or another method",
          o_.model, format.bits, o_.method);
  require(o_.sequence_length <= original_->config().context,
          "sequence-length: found {}, the model's context is {}", o_.sequence_length,
          original_->config().context);
}

void Run::open_data() {
  encoder_ = std::make_unique<TextEncoder>(o_.model, original_->config().vocabulary_size);
  data_ = load_dataset(o_.data, "train", *encoder_);
  packing_ = pack(data_, o_.sequence_length, o_.seed);
  if (!o_.eval_data.empty()) {
    eval_data_ = load_dataset(o_.eval_data, "valid", *encoder_);
  } else if (has_split(o_.data, "valid")) {
    eval_data_ = load_dataset(o_.data, "valid", *encoder_);
  }
  const std::uint64_t rows_a_step = std::uint64_t{o_.batch_size} * o_.grad_accumulation;
  const double by_epochs =
      std::ceil(o_.epochs * static_cast<double>(packing_.rows.size()) / static_cast<double>(rows_a_step));
  require(o_.steps > 0 || by_epochs < 4e9, "epochs: {} passes are too many steps", o_.epochs);
  steps_ = o_.steps > 0 ? o_.steps : std::max(1u, static_cast<std::uint32_t>(by_epochs));
  if (eval_data_)
    evaluation_windows(*eval_data_, o_.sequence_length);  // refuses data with nothing to predict
  if (!o_.sample_prompt.empty()) {
    sample_prompt_ = encoder_->tokenizer().encode(o_.sample_prompt);
    const std::uint32_t context = original_->config().context;
    require(!sample_prompt_.empty() && sample_prompt_.size() < context,
            "sample-prompt: {} tokens, expected 1 to {}, since the model's context holds {}",
            sample_prompt_.size(), context - 1, context);
  }
}

// The base's format, before it is made.
WeightFormat Run::base_format() const {
  WeightFormat format = original_->format();
  if (quantises()) {
    format.bits = o_.bits;
    format.group_size = o_.group_size;
  }
  return format;
}

void Run::describe_data() {
  listener_.say(
      fmt::format("data: {} documents, {} tokens ({} predicted) in {} rows of {}; {} truncated, {} dropped",
                  data_.documents.size(), packing_.tokens, packing_.targets, packing_.rows.size(),
                  o_.sequence_length, packing_.truncated, packing_.dropped + data_.dropped));
}

// The quantised base in `folder`, made here.
void Run::make_base(const fs::path& folder) {
  fs::create_directories(folder);
  const auto start = Clock::now();
  const QuantizeOptions options =
      quantize_options(o_.quantizer, o_.bits, o_.group_size, o_.symmetric, o_.set);
  Calibration calibration;
  if (options.needs_calibration()) calibration = {&device_, calibration_.sequences};
  const QuantizeResult result =
      quantize_model(*original_, config_text(o_.model), folder, options, std::move(calibration));
  if (!o_.random_weights) copy_companions(o_.model, folder);
  listener_.say(fmt::format("base: {} at {} bits, {:.2f} bits a weight with scales, {:.1f} s", o_.quantizer,
                            o_.bits, result.bits_per_weight, seconds_since(start)));
  if (result.padded)
    listener_.say("base: some packed rows are not whole 32-bit words, so other tools cannot load it");
}

// The session takes its memory; its values are known by now.
void Run::build() {
  session_->commit(device_, true);
  session_->load(device_, *base_);
}

// The start of what is trained, with which codes of the base may change. The device holds one layer at a time
// for it, before it holds the run.
void Run::start(const RunBase& base) {
  const auto began = Clock::now();
  const bool fits = session_->method().starts_from() == StartsFrom::gram;
  const std::size_t count = calibration_.sequences.size(),
                    length = count > 0 ? calibration_.sequences[0].size() : 0;
  std::optional<QuantizedModelWriter> recoded;
  if (quantises() && session_->method().recodes())
    recoded.emplace(*base_, base_folder(run_, base), read_quantization_config(base_folder(run_, base)));
  start_method(device_, session_->method(), original_->format().bits == 0 ? original_.get() : nullptr, *base_,
               std::move(calibration_.sequences), recoded ? &*recoded : nullptr);
  if (recoded) {
    base_.reset();
    recoded->publish();
    base_ = open_base(run_, base, o_);
  }
  std::string line = session_->method().describe_start();
  if (fits && count > 0)
    line += fmt::format("; {} x {} calibration tokens, {:.1f} s", count, length, seconds_since(began));
  if (!line.empty()) listener_.say(line);
}

TrainReport Run::fresh() {
  require_new(o_.out);
  open_model();
  open_data();
  fit_to_device(device_, original_->config(), base_format(), o_);
  bool calibrates = false;
  if (quantises()) {
    const QuantizeOptions options =
        quantize_options(o_.quantizer, o_.bits, o_.group_size, o_.symmetric, o_.set);
    require_quantizable(*original_, options, !o_.random_weights);
    calibrates = options.needs_calibration();
  }
  const std::string ways =
      choose_qwha_ways(device_, original_->config(), base_format(), o_, precision_.operands);
  session_ = std::make_unique<Session>(original_->config(), base_format(), o_, tokens(), true);
  require(quantises() || !session_->method().recodes() || !o_.set.contains("qwha.recode"),
          "qwha.recode: {} is quantised already, and its codes stay; leave qwha.recode out, or name the "
          "original model",
          o_.model);
  calibrates = calibrates || session_->method().starts_from() == StartsFrom::gram;
  if (original_->format().bits == 0 && calibrates)
    calibration_ = calibration_text(o_, original_->config().context, data_, *encoder_);
  StagedFolder staged(o_.out);
  run_ = staged.path();
  RunBase base{fs::absolute(o_.model).lexically_normal(), {}};
  // Everything that can be refused has been by now; progress begins here.
  if (!original_->note().empty()) listener_.say(original_->note());
  describe_data();
  if (!ways.empty()) listener_.say(ways);
  if (!calibration_.summary.empty()) listener_.say(calibration_.summary);
  if (quantises()) {
    make_base(run_ / "base");
    base.path = "base";
  }
  base_ = open_base(run_, base, o_);
  start(base);
  base.fingerprint = base_fingerprint(*base_);
  if (const auto errors = session_->method().start_errors(); !errors.empty())
    write_layer_errors(run_, errors);
  build();
  write_base(run_, base);
  write_file(run_ / "config.yaml", to_yaml(o_));
  save({});
  staged.publish();
  run_ = o_.out;
  return loop({});
}

TrainReport Run::resumed() {
  require(is_run(run_),
          "{}: nothing to resume there (no config.yaml and base.json); start a run without --resume",
          run_.string());
  RunOptions before;
  read_options(before, run_ / "config.yaml");
  if (before.precision == "auto") before.precision = "fp32";  // which it meant when a file could hold it
  for (const char* measured : {"qwha.product", "qwha.gradient"})
    if (before.set.contains(measured)) o_.set.try_emplace(measured, before.set.at(measured));
  const auto changed = changed_options(before, o_);
  require(changed.empty(), "--resume with changed settings: {}; a resumed run keeps its settings",
          fmt::join(changed, ", "));
  const auto checkpoint = newest_checkpoint(run_);
  require(checkpoint.has_value(), "{}: no checkpoint to resume from", run_.string());
  open_model();
  open_data();
  const RunBase base = read_base(run_);
  base_ = open_base(run_, base, o_);
  require(base_fingerprint(*base_) == base.fingerprint,
          "{}: the base is not the one that this run was trained on", base_folder(run_, base).string());
  fit_to_device(device_, original_->config(), base_->format(), o_);
  session_ = std::make_unique<Session>(base_->config(), base_->format(), o_, tokens(), true);
  // What is frozen in the adapter; trained values come from the checkpoint.
  session_->method().read(run_ / "adapter", base_reader(*base_));
  build();
  const Progress progress = load_checkpoint(*checkpoint, device_, session_->parameters());
  describe_data();
  listener_.say(fmt::format("resuming at step {} of {}", progress.step, steps_));
  return loop(progress);
}

TrainReport Run::loop(Progress progress) {
  TrainReport report;
  report.trained_parameters = session_->parameters().trained();
  report.planned_bytes = plan_run(base_->config(), base_->format(), o_).peak_bytes();
  report.loss_first = progress.loss_first;
  report.loss_last = progress.loss_last;
  Metrics metrics(run_, progress.step);
  memory_ = std::make_unique<PassMemory>(base_->config(), tokens(), logit_rows(base_->config(), tokens()),
                                         training_pass(o_));
  memory_->arena.commit(device_);
  StepOptions step_options{.grad_accumulation = o_.grad_accumulation,
                           .weight_decay = static_cast<float>(o_.weight_decay),
                           .max_grad_norm = static_cast<float>(o_.max_grad_norm),
                           .profile = !o_.trace.empty(),
                           .operands = precision_.operands,
                           .seed = o_.seed};
  if (precision_.operands == vk::Precision::fp16) {
    step_options.loss_scale.emplace();
    if (progress.loss_scale > 0) step_options.loss_scale = {progress.loss_scale, progress.loss_scale_steps};
    progress.loss_scale = step_options.loss_scale->scale;
  }
  step_ = std::make_unique<TrainingStep>(device_, *session_, *memory_, step_options);
  const Schedule schedule = Schedule::make(o_.schedule, o_.learning_rate, steps_, o_.warmup);
  BatchStream stream(data_, packing_, o_.batch_size, o_.seed);
  stream.seek({progress.epoch, progress.batch});
  if (!precision_.note.empty()) listener_.say(precision_.note);
  listener_.say(
      fmt::format("training: {} steps of {} x {} x {} tokens, {} trained parameters, {:.1f} MiB on {}",
                  steps_, o_.grad_accumulation, o_.batch_size, o_.sequence_length, report.trained_parameters,
                  static_cast<double>(device_.allocated_bytes()) / (1 << 20), device_.info().name));

  std::vector<Batch> batches(o_.grad_accumulation);
  std::uint64_t tokens_here = 0;
  double seconds_here = 0;
  std::uint32_t saved = progress.step;
  auto step_start = Clock::now();
  const std::uint32_t first_step = progress.step;
  while (progress.step < steps_ && !stop_) {
    std::vector<TokenBatch> inputs;
    std::uint64_t targets = 0;
    for (Batch& batch : batches) {
      batch = stream.next();
      inputs.push_back(batch_inputs(batch));
      targets += batch.target_count;
    }
    const double rate = schedule.rate(progress.step);
    step_->submit(progress.step, inputs, rate);
    const StepResult result = step_->result();
    const double seconds = seconds_since(step_start);
    step_start = Clock::now();
    // With the least loss scale there is nothing left to lower.
    const bool overflow = result.loss_scale && progress.loss_scale > 1 && !std::isfinite(result.grad_norm);
    if (!std::isfinite(result.loss) || (!std::isfinite(result.grad_norm) && !overflow)) {
      const auto last = newest_checkpoint(run_);
      fail(
          "step {}: the loss is {} and the gradient's norm {}; the last good checkpoint is {}; lower "
          "--learning-rate and start again",
          progress.step + 1, result.loss, result.grad_norm, last ? last->string() : "none");
    }
    if (result.loss_scale) {
      progress.loss_scale = result.loss_scale->scale;
      progress.loss_scale_steps = result.loss_scale->steps;
    }
    if (overflow)
      listener_.say(
          fmt::format("step {}: a gradient left the range of fp16; the step changes nothing, the "
                      "loss scale is {} now",
                      progress.step + 1, progress.loss_scale));
    if (progress.step == 0) progress.loss_first = result.loss;
    progress.loss_last = result.loss;
    ++progress.step;
    progress.epoch = stream.position().epoch;
    progress.batch = stream.position().index;
    progress.tokens += tokens() * std::uint64_t{o_.grad_accumulation};
    progress.seconds += seconds;
    if (progress.step > first_step + 1) {  // the first step here measures its commands
      tokens_here += tokens() * std::uint64_t{o_.grad_accumulation};
      seconds_here += seconds;
    }
    const double speed = tokens_here > 0 ? static_cast<double>(tokens_here) / seconds_here
                                         : static_cast<double>(tokens()) * o_.grad_accumulation / seconds;
    const double left =
        (steps_ - progress.step) * (static_cast<double>(tokens()) * o_.grad_accumulation / speed);
    OrderedJson line = {{"step", progress.step},
                        {"loss", result.loss},
                        {"learning_rate", rate},
                        {"grad_norm", result.grad_norm},
                        {"tokens", progress.tokens},
                        {"targets", targets},
                        {"tokens_per_second", speed},
                        {"seconds", progress.seconds},
                        {"memory_bytes", device_.allocated_bytes()}};
    if (result.loss_scale) line["loss_scale"] = progress.loss_scale;
    metrics.write(line);
    listener_.step({.step = progress.step,
                    .steps = steps_,
                    .loss = result.loss,
                    .learning_rate = rate,
                    .grad_norm = result.grad_norm,
                    .tokens_per_second = speed,
                    .seconds_left = left,
                    .memory_bytes = device_.allocated_bytes()});
    report.tokens_per_second = speed;
    const bool last = progress.step == steps_;
    if (o_.save_every > 0 && progress.step % o_.save_every == 0) {
      save(progress);
      saved = progress.step;
    }
    if (!last && o_.eval_every > 0 && progress.step % o_.eval_every == 0)
      evaluate(progress.step, report, metrics);
    step_start = Clock::now();  // evaluation and saving are not the step's time
  }
  if (saved != progress.step) save(progress);
  if (!o_.trace.empty() && progress.step > first_step) {
    const auto times = step_->times();
    write_trace(o_.trace, times);
    listener_.say(fmt::format("trace: {}; most time in {}", o_.trace, busiest_kernels(times)));
  }
  report.steps = progress.step;
  report.tokens = progress.tokens;
  report.loss_first = progress.loss_first;
  report.loss_last = progress.loss_last;
  report.host_share = seconds_here > 0 ? step_->host_seconds() / seconds_here : 0;
  report.interrupted = progress.step < steps_;
  if (!report.interrupted) finish(progress.step, report, metrics);
  report.peak_bytes = device_.peak_bytes();
  return report;
}

// The adapter first: a checkpoint that exists always has its supports beside it.
void Run::save(const Progress& progress) {
  fs::create_directories(run_ / "adapter");
  session_->method().save(run_ / "adapter", device_);
  save_checkpoint(run_, device_, session_->parameters(), progress, o_.keep);
}

void Run::evaluate(std::uint32_t step, TrainReport& report, Metrics& metrics) {
  OrderedJson line = {{"step", step}};
  if (eval_data_) {
    if (!evaluator_)
      evaluator_ = std::make_unique<Evaluator>(device_, *session_, *memory_, o_.batch_size,
                                               o_.sequence_length, precision_.operands);
    const Evaluation evaluation = evaluator_->run(*eval_data_);
    report.eval_loss = evaluation.loss;
    line["eval_loss"] = evaluation.loss;
    line["eval_perplexity"] = evaluation.perplexity();
    line["eval_tokens"] = evaluation.tokens;
    listener_.say(fmt::format("step {}: evaluation loss {:.4f}, perplexity {:.3f} on {} tokens", step,
                              evaluation.loss, evaluation.perplexity(), evaluation.tokens));
  }
  if (!o_.sample_prompt.empty()) {
    if (!generator_)
      generator_ =
          std::make_unique<Generator>(device_, *session_, base_->config().context, std::min(tokens(), 64u));
    const Tokenizer& tokenizer = encoder_->tokenizer();
    const std::string text = tokenizer.decode(generator_->run(
        sample_prompt_, {.max_tokens = o_.sample_tokens, .temperature = 0}, tokenizer.end_ids()));
    line["sample"] = text;
    listener_.say(fmt::format("step {}: {}{}", step, o_.sample_prompt, text));
  }
  if (line.size() > 1) metrics.write(line);
}

void Run::finish(std::uint32_t step, TrainReport& report, Metrics& metrics) {
  for (const std::string& line : session_->method().remarks(device_)) listener_.say(line);
  evaluate(step, report, metrics);
  // The probe's pass takes the place of the training pass, so that the run stays within its plan.
  evaluator_.reset();
  step_.reset();
  memory_.reset();
  write_probe();
}

// Token ids, the logits after the last of them and the hashes of all weights, for whoever checks an export.
void Run::write_probe() {
  std::vector<std::uint32_t> ids = data_.documents[0].ids;
  ids.resize(std::min<std::size_t>({ids.size(), 64, tokens(), base_->config().context - 1}));
  Generator generator(device_, *session_, static_cast<std::uint32_t>(ids.size()) + 1,
                      static_cast<std::uint32_t>(ids.size()));
  OrderedJson weights = OrderedJson::object();
  visit_layers(device_, *session_, tokens(),
               [&](EffectiveLayer&& layer) { weights[layer.name] = layer.hash(); });
  const OrderedJson json = {{"ids", ids},
                            {"logits", generator.logits(ids)},
                            {"base", read_base(run_).fingerprint},
                            {"weights", weights}};
  write_file(run_ / "probe.json", json.dump() + "\n");
}

}  // namespace

TrainReport train(vk::Device& device, const RunOptions& options, bool resume, TrainListener& listener,
                  const std::atomic<bool>& stop) {
  try {
    Run run(device, resolve(options), listener, stop);
    return resume ? run.resumed() : run.fresh();
  } catch (const vk::DeviceLost& lost) {
    const auto last = is_run(options.out) ? newest_checkpoint(options.out) : std::nullopt;
    if (!last) throw vk::DeviceLost(fmt::format("{}, before the first checkpoint; start again", lost.what()));
    throw vk::DeviceLost(
        fmt::format("{}; the last checkpoint is {}; continue with: walsh train --resume --out {}",
                    lost.what(), last->string(), options.out));
  }
}

}  // namespace walsh
