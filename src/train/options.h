// Every option of a run, under one name: a flag of the command line, a key of the YAML run file and a line of
// the run's config.yaml.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace walsh {

struct RunOptions {
  // what is trained on what
  std::string model, data, eval_data, calibration, reference, out, trace;
  std::string method = "qwha";
  std::optional<std::uint64_t> random_weights;
  // the base
  std::uint32_t bits = 0;  // 0: as the model is
  int group_size = 64;
  std::string quantizer = "rtn";
  bool symmetric = false;
  std::uint32_t calibration_sequences = 128, calibration_length = 2048;
  // the adapter
  std::uint32_t rank = 0;  // 0: the method's default
  double alpha = 0;        // 0: the method's default
  std::string targets = "q,k,v,o,gate,up,down";
  // the schedule
  std::uint32_t steps = 0;  // 0: by epochs
  double epochs = 0;        // 0: the method's default
  std::uint32_t batch_size = 4;
  std::uint32_t grad_accumulation = 1;
  std::uint32_t sequence_length = 512;
  double learning_rate = 0;  // 0: the method's default
  std::string schedule = "cosine";
  double warmup = -1;        // below 1 a ratio, from 1 steps; negative: the method's default
  double weight_decay = -1;  // negative: the method's default
  double max_grad_norm = 1.0;
  std::string optimizer = "adamw";
  std::string precision = "auto";
  std::string scale_dtype = "fp16";
  std::string checkpointing = "auto";
  bool offload = false;
  std::uint32_t eval_every = 0, save_every = 0, keep = 2;
  std::uint32_t sample_tokens = 48;
  std::string sample_prompt;
  bool deterministic_plan = true;
  std::string tuning;
  std::uint64_t seed = 0;
  std::map<std::string, std::string> set;  // "qwha.select" → "omp", "quantize.damping" → "0.1"
};

/// Calls visit(name, value, fixed, help) for every option, in the order of the help. `fixed`: a resumed run
/// must have the same value, since it changes the result.
template <typename Options, typename Visit>
void visit_options(Options& o, Visit&& visit) {
  visit("model", o.model, true, "Hugging Face folder of the model, quantised in GPTQ format or not");
  visit("data", o.data, true, "training data: .jsonl, .txt or a folder with train, valid, test");
  visit("eval-data", o.eval_data, false, "evaluation data; default: the data folder's valid split, if any");
  visit("calibration", o.calibration, true, "text for the Gram matrices; default: the training data");
  visit("method", o.method, true, "fine-tuning method, see below");
  visit("random-weights", o.random_weights, true,
        "seed of random weights, for a folder that holds only a config.json");
  visit("bits", o.bits, true,
        "2, 3, 4 or 8: quantise the model's linear layers first, or the method's own grid; 0: as it is");
  visit("group-size", o.group_size, true,
        "weights that share a scale; divides every input width; -1: per channel");
  visit("quantizer", o.quantizer, true, "rtn, gptq or magr-gptq");
  visit("symmetric", o.symmetric, true, "symmetric grids: the zero is fixed in the middle");
  visit("calibration-sequences", o.calibration_sequences, true, "sequences for the Gram matrices, at most");
  visit("calibration-length", o.calibration_length, true,
        "tokens of such a sequence, at most; the context and the text may allow fewer");
  visit("rank", o.rank, true,
        "of adapters; qwha: a layer gets rank x (inputs + outputs) coefficients; 0: the method's default");
  visit("alpha", o.alpha, true, "low-rank adapters are scaled by alpha / rank; 0: the method's default");
  visit("targets", o.targets, true, "projections that get an adapter");
  visit("steps", o.steps, true, "optimizer steps; 0: by --epochs");
  visit("epochs", o.epochs, true, "passes over the data; 0: the method's default");
  visit("batch-size", o.batch_size, true, "sequences a micro-step");
  visit("grad-accumulation", o.grad_accumulation, true, "micro-steps an optimizer step");
  visit("sequence-length", o.sequence_length, true, "tokens a sequence");
  visit("learning-rate", o.learning_rate, true, "peak learning rate; 0: the method's default");
  visit("schedule", o.schedule, true, "cosine, linear or constant");
  visit("warmup", o.warmup, true,
        "a ratio of the steps below 1, steps from 1; negative: the method's default");
  visit("weight-decay", o.weight_decay, true, "decoupled weight decay; negative: the method's default");
  visit("max-grad-norm", o.max_grad_norm, true, "gradients are clipped to this norm; 0: not");
  visit("optimizer", o.optimizer, true,
        "adamw, or adamw8: its moments in 8 bits, a quarter of the memory of the optimizer's state");
  visit("precision", o.precision, true,
        "operands of matrix products: fp32, or fp16 or bf16 where the device multiplies such matrices; all "
        "else is fp32; auto: bf16 or else fp16 on a GPU that does, fp32 elsewhere");
  visit("scale-dtype", o.scale_dtype, true,
        "the type that the forward rounds scales to: fp16, as files hold them, or fp32");
  visit(
      "checkpointing", o.checkpointing, false,
      "none: every layer keeps its activations; full: they are computed again in the backward, with the same "
      "result; auto: none, or full where that does not fit the device");
  visit(
      "offload", o.offload, false,
      "true: the layers' frozen weights stay in the host's memory and pass through the device two at a time, "
      "with the same result");
  visit("eval-every", o.eval_every, false, "steps between evaluations; 0: only at the end");
  visit("save-every", o.save_every, false, "steps between checkpoints; 0: only at the end");
  visit("keep", o.keep, false, "checkpoints kept");
  visit("sample-prompt", o.sample_prompt, false, "prompt of the text sample at every evaluation");
  visit("sample-tokens", o.sample_tokens, false, "length of that sample");
  visit("trace", o.trace, false, "file for a Chrome trace of the last step, by device timestamps");
  visit("deterministic-plan", o.deterministic_plan, true,
        "choose kernels without measuring; false: by what walsh tune found on this device, now if never "
        "before");
  visit("tuning", o.tuning, true,
        "choices of kernels, as walsh tune prints them; a run that measured names them here");
  visit("seed", o.seed, true, "seed of everything random");
}

/// Sets an option from text; refuses an unknown name and a value of the wrong kind. "set" entries are
/// "METHOD.KEY".
void set_option(RunOptions& options, const std::string& name, const std::string& value);

/// Reads a YAML run file into options: the flags' names as keys, `set` a map of METHOD.KEY to value.
void read_options(RunOptions& options, const std::filesystem::path& file);

/// The options as YAML, every one of them.
std::string to_yaml(const RunOptions& options);

/// Names of the options that differ although a resume fixes them, with both values: "rank (32, now 16)".
std::vector<std::string> changed_options(const RunOptions& before, const RunOptions& now);

/// The method's defaults in place of what was left open, and every value checked: ranges, known words,
/// combinations.
RunOptions resolve(RunOptions options);
}  // namespace walsh
