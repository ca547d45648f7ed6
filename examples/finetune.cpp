// Fine-tunes a model at 2 bits with QWHA, then evaluates and samples what came out:
//   finetune MODEL DATA RUN [OPTION=VALUE...]
// MODEL is a Hugging Face folder, DATA a folder with train and valid, RUN the folder to write.
#include <walsh/walsh.h>

#include <cstdio>
#include <string>

namespace {

void finetune(int argc, char** argv) {
  const std::string model_folder = argv[1], data = argv[2], run = argv[3];

  walsh::Device device;
  std::printf("device: %s%s\n", device.info().name.c_str(), device.info().cpu ? " (a CPU driver: slow)" : "");

  walsh::Training training;
  training.set("model", model_folder).set("data", data).set("bits", "2");
  for (int i = 4; i < argc; ++i) {
    const std::string option = argv[i];
    const auto equals = option.find('=');
    if (equals == std::string::npos) throw walsh::Error(option + ": expected OPTION=VALUE");
    training.set(option.substr(0, equals), option.substr(equals + 1));
  }
  training.on_message([](const std::string& line) { std::printf("%s\n", line.c_str()); });
  training.on_step([](const walsh::Training::Step& s) {
    std::printf("step %u/%u  loss %.4f  %.0f tokens/s\n", s.step, s.steps, s.loss, s.tokens_per_second);
  });
  const walsh::Training::Result result = training.start(device, run);
  std::printf("adapter of %llu parameters: %s\n", static_cast<unsigned long long>(result.trained_parameters),
              result.adapter.c_str());

  walsh::Model model(device, model_folder, run);
  std::printf("perplexity %.3f\n", model.evaluate(data).perplexity);
  std::printf("Once%s\n", model.generate("Once", {32, 0.0f}).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: finetune MODEL DATA RUN [OPTION=VALUE...]\n");
    return 2;
  }
  try {
    finetune(argc, argv);
    return 0;
  } catch (const walsh::Error& error) {
    std::fprintf(stderr, "finetune: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "finetune: %s\n", error.what());
    return 1;
  }
}
