// The command line. This is the only place that catches what walsh throws.
#include <cstdio>

#include "cli.h"
#include "vk/instance.h"

namespace {

// One line, whatever a file's names held.
int complain(const char* message, int status) {
  std::string line = message;
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  std::fprintf(stderr, "walsh: %s\n", line.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("walsh fine-tunes quantised language models on any Vulkan GPU");
  app.require_subcommand(0, 1);  // an unknown one is then named
  walsh::Globals globals;
  walsh::add_devices(app, globals);
  walsh::add_doctor(app, globals);
  walsh::add_plan(app, globals);
  walsh::add_quantize(app, globals);
  walsh::add_train(app, globals);
  walsh::add_eval(app, globals);
  walsh::add_generate(app, globals);
  walsh::add_export(app, globals);
  walsh::add_verify(app, globals);
  walsh::add_bench(app, globals);
  walsh::add_tune(app, globals);
  walsh::add_report(app, globals);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) return complain("no command given; see walsh --help", 2);
    if (const auto messages = walsh::vk::validation_messages(); !messages.empty()) {
      return complain(
          fmt::format("{} validation messages, the first: {}", messages.size(), messages[0]).c_str(), 1);
    }
    return 0;
  } catch (const CLI::Success& asked) {  // --help
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return complain((std::string(error.what()) + "; see walsh --help").c_str(), 2);
  } catch (const walsh::Error& error) {
    return complain(error.what(), 2);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
