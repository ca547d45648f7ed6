// walsh generate: text from a prompt.
#include "train/generate.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli.h"
#include "io/tokenizer.h"
#include "train/opened_model.h"

namespace walsh {

void add_generate(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("generate", "samples text after a prompt");
  command->footer(
      "example: walsh generate --model models/walsh-tiny --prompt 'Once there was' --temperature 0");
  add_globals(*command, globals);
  static std::string model, adapter, prompt;
  static SampleOptions options;
  command->add_option("--model", model, "Hugging Face folder or GGUF file")->required();
  command->add_option("--adapter", adapter, "a run, its adapter/, or one of its checkpoints");
  command->add_option("--prompt", prompt, "text to go on from")->required();
  command->add_option("--tokens", options.max_tokens, "at most so many")->capture_default_str();
  command->add_option("--temperature", options.temperature, "0: always the likeliest token")
      ->capture_default_str();
  command->add_option("--top-k", options.top_k, "draw from the k likeliest; 0: all")->capture_default_str();
  command->add_option("--top-p", options.top_p, "draw from the likeliest that make up p")
      ->capture_default_str();
  command->callback([&globals] {
    const OpenedModel opened(model, adapter, std::nullopt);
    const Tokenizer tokenizer = Tokenizer::load(model);
    tokenizer.check_vocabulary(opened.config().vocabulary_size);
    std::vector<std::uint32_t> ids = tokenizer.encode(prompt);
    if (tokenizer.adds_bos() && tokenizer.bos_id()) ids.insert(ids.begin(), *tokenizer.bos_id());
    require(!ids.empty(), "--prompt is empty; give some text");
    require(ids.size() < opened.config().context,
            "the prompt has {} tokens, the model's context holds {}; shorten it", ids.size(),
            opened.config().context);
    const auto device = open_device_quietly(globals);
    constexpr std::uint32_t chunk = 64;
    const auto session = opened.load(*device, chunk);
    const auto length = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(opened.config().context, ids.size() + options.max_tokens + 1));
    Generator generator(*device, *session, length, chunk);
    announce(globals, *device);
    if (!opened.source().note().empty()) say(globals, opened.source().note());
    options.seed = globals.seed;
    // Decoders may join ids into one character, so what is printed is what decoding all of them added.
    std::vector<std::uint32_t> heard;
    std::string shown;
    const auto start = std::chrono::steady_clock::now();
    const auto text = generator.run(ids, options, tokenizer.end_ids(), [&](std::uint32_t id) {
      heard.push_back(id);
      const std::string all = tokenizer.decode(heard);
      if (!globals.json && !globals.quiet && all.starts_with(shown) && !all.ends_with("\xEF\xBF\xBD")) {
        std::printf("%s", all.c_str() + shown.size());
        std::fflush(stdout);
        shown = all;
      }
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::string result = tokenizer.decode(text);
    if (!globals.json)
      std::printf("%s\n",
                  globals.quiet ? result.c_str() : result.c_str() + std::min(shown.size(), result.size()));
    const double speed = static_cast<double>(text.size()) / seconds;
    say(globals, fmt::format("{} tokens, {:.1f} tokens/s", text.size(), speed));
    print_json(globals, {{"text", result}, {"tokens", text.size()}, {"tokens_per_second", speed}});
  });
}

}  // namespace walsh
