// walsh eval: perplexity on a data set, or accuracy on multiple-choice items.
#include "train/evaluate.h"

#include <algorithm>

#include "cli.h"
#include "train/opened_model.h"
#include "train/precision.h"

namespace walsh {

void add_eval(CLI::App& app, Globals& globals) {
  CLI::App* command =
      app.add_subcommand("eval", "perplexity on a data set, or accuracy on multiple-choice items");
  command->footer(
      "example: walsh eval --model models/walsh-tiny --data models/walsh-tiny/data/text/valid.txt");
  add_globals(*command, globals);
  static std::string model, adapter, data, split = "valid", precision = "fp32";
  static std::uint32_t sequence_length = 0, batch_size = 4;
  static std::uint64_t random_weights = 0;
  static bool choices = false;
  command->add_option("--model", model, "Hugging Face folder or GGUF file")->required();
  command->add_option("--adapter", adapter, "a run, its adapter/, or one of its checkpoints");
  command->add_option("--data", data, "a .jsonl or .txt file, or a folder of train, valid, test")->required();
  command->add_option("--split", split, "of a folder: train, valid or test")->capture_default_str();
  command
      ->add_option("--sequence-length", sequence_length,
                   "tokens of a window; 0: the smaller of the context and 2048")
      ->capture_default_str();
  command->add_option("--batch-size", batch_size, "windows a pass")->capture_default_str();
  command
      ->add_option(
          "--precision", precision,
          "operands of matrix products: fp32, or fp16 or bf16 where the device multiplies such matrices; "
          "auto: what walsh train takes")
      ->check(CLI::IsMember({"auto", "fp32", "fp16", "bf16"}))
      ->capture_default_str();
  CLI::Option* seeded =
      command->add_option("--random-weights", random_weights,
                          "seed of random weights, for a folder that holds only a config.json");
  command->add_flag("--choices", choices,
                    "multiple-choice items: {query,choices,gold} or {context_options,continuation,gold}");
  command->callback([&globals, seeded] {
    const OpenedModel opened(model, adapter,
                             seeded->count() > 0 ? std::optional(random_weights) : std::nullopt);
    const std::uint32_t context = opened.config().context;
    const std::uint32_t length = sequence_length > 0 ? sequence_length : std::min(context, 2048u);
    require(length <= context, "sequence-length: found {}, the model's context is {}", length, context);
    require(batch_size >= 1 && std::uint64_t{batch_size} * length <= 1u << 26,
            "batch-size: found {}, expected 1 to {} at {} tokens a window", batch_size, (1u << 26) / length,
            length);
    TextEncoder encoder(model, opened.config().vocabulary_size);
    if (choices) {
      const std::vector<ChoiceItem> items = load_choices(data, split, encoder);
      const auto device = open_device_quietly(globals);
      const auto session = opened.load(*device, batch_size * length);
      const ChosenPrecision chosen = choose_precision(device->info(), precision);
      Evaluator evaluator(*device, *session, batch_size, length, chosen.operands);
      announce(globals, *device);
      if (!chosen.note.empty()) say(globals, chosen.note);
      if (!opened.source().note().empty()) say(globals, opened.source().note());
      const ChoiceAccuracy result = evaluator.run(items);
      say(globals, fmt::format("accuracy {:.4f}, by likelihood per byte {:.4f}, on {} items", result.accuracy,
                               result.accuracy_norm, result.items));
      print_json(
          globals,
          {{"accuracy", result.accuracy}, {"accuracy_norm", result.accuracy_norm}, {"items", result.items}});
      return;
    }
    const Dataset dataset = load_dataset(data, split, encoder);
    evaluation_windows(dataset, length);  // refuses data with nothing to predict
    const auto device = open_device_quietly(globals);
    const auto session = opened.load(*device, batch_size * length);
    const ChosenPrecision chosen = choose_precision(device->info(), precision);
    Evaluator evaluator(*device, *session, batch_size, length, chosen.operands);
    announce(globals, *device);
    if (!chosen.note.empty()) say(globals, chosen.note);
    if (!opened.source().note().empty()) say(globals, opened.source().note());
    const Evaluation result = evaluator.run(dataset);
    say(globals, fmt::format("loss {:.4f}, perplexity {:.3f}, on {} tokens", result.loss, result.perplexity(),
                             result.tokens));
    print_json(globals,
               {{"loss", result.loss}, {"perplexity", result.perplexity()}, {"tokens", result.tokens}});
  });
}

}  // namespace walsh
