// Whatever has a default that a device may know better is timed both ways, on 4-bit products, which are most
// of a step.
#include "tune.h"

#include <limits>

#include "measure.h"
#include "ops/quant_matmul.h"
#include "ops/quant_matmul_reference.h"
#include "show.h"
#include "vk/tuned.h"

namespace walsh {
namespace {

struct Size {
  std::uint32_t tokens, inputs, outputs;
};

double product_seconds(const vk::DeviceInfo& info, const vk::Tuning& tuning, const Size& size) {
  vk::DeviceInfo candidate = info;
  candidate.tuning = tuning;
  vk::Device device(candidate);
  TensorStore store(device);
  const QuantizedMatrix q = reference::random_quantized(size.outputs, size.inputs, 4, 64, 1);
  const QuantizedTensor w{.codes = store.u32({q.rows, words_per_row(q.columns, q.bits)}, q.codes),
                          .grid = store.u32({q.rows, q.groups()}, q.grid),
                          .rows = q.rows,
                          .columns = q.columns,
                          .bits = q.bits,
                          .group_size = q.group_size};
  const Tensor x = store.f32({size.tokens, size.inputs}, normal(std::uint64_t{size.tokens} * size.inputs, 2)),
               y = store.empty({size.tokens, size.outputs});
  KernelCase kernel;
  kernel.record = [&](Recorder& rec) { quant_matmul_forward(rec, y, x, w, {}); };
  return measure_speed(device, kernel, {.bytes_per_second = 1, .operations_per_second = 1}, false).seconds;
}

OrderedJson line(const char* choice, std::uint64_t value, const Size& size, double seconds) {
  return {{"choice", choice},
          {"value", value},
          {"shape", fmt::format("{} x {} x {}", size.tokens, size.inputs, size.outputs)},
          {"seconds", seconds}};
}

// How operands are read.
void tune_reads(const vk::DeviceInfo& info, vk::Tuning& tuning, OrderedJson& measured) {
  constexpr Size size{256, 1024, 1024};
  double seconds[2];
  for (const bool lane_by_lane : {false, true}) {
    vk::Tuning candidate = tuning;
    candidate.lane_by_lane = lane_by_lane;
    seconds[lane_by_lane] = product_seconds(info, candidate, size);
    measured.push_back(line("lane_by_lane", lane_by_lane, size, seconds[lane_by_lane]));
  }
  tuning.lane_by_lane = seconds[true] < seconds[false];
}

// From which size on the large tiles are faster than the small ones, and stay so.
void tune_tiles(const vk::DeviceInfo& info, vk::Tuning& tuning, OrderedJson& measured) {
  if (tuning.lane_by_lane) return;  // those kernels have tiles of their own
  std::vector<Size> sizes{{256, 1024, 1024}, {512, 1024, 2048}};
  if (info.type != vk::DeviceType::cpu) sizes.insert(sizes.end(), {{1024, 1024, 4096}, {4096, 1024, 4096}});
  constexpr auto never = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t threshold = never;
  for (const Size& size : sizes) {
    double seconds[2];
    for (const bool large : {false, true}) {
      vk::Tuning candidate = tuning;
      candidate.large_tile_results = large ? 0 : never;
      seconds[large] = product_seconds(info, candidate, size);
      measured.push_back(line("large_tile_results", candidate.large_tile_results, size, seconds[large]));
    }
    if (seconds[true] >= seconds[false]) {
      threshold = never;
    } else if (threshold == never) {
      threshold = std::uint64_t{size.tokens} * size.outputs;
    }
  }
  tuning.large_tile_results = threshold;
}

// The choices as text; kept on disk.
std::string tune(const vk::DeviceInfo& info, OrderedJson& measured) {
  vk::Tuning tuning = info.tuning;
  tune_reads(info, tuning, measured);
  tune_tiles(info, tuning, measured);
  std::string text = to_text(tuning);
  write_tuned(info, text, measured);
  return text;
}

}  // namespace

std::unique_ptr<vk::Device> open_device_of(const Globals& globals, RunOptions& options) {
  vk::DeviceInfo info = vk::choose_device(globals.device, globals.disable);
  if (options.tuning.empty() && !options.deterministic_plan) {
    OrderedJson measured = OrderedJson::array();
    const auto before = vk::read_tuned(info);
    options.tuning = before ? *before : tune(info, measured);
  }
  set_tuning(info.tuning, options.tuning);
  return std::make_unique<vk::Device>(info);
}

void add_tune(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("tune", "measures kernel choices on this device ahead of a run");
  command->footer(
      "Example: walsh tune\n"
      "Runs use what it finds with --deterministic-plan false, and name it in their config.yaml (tuning).");
  add_globals(*command, globals);
  command->callback([&globals] {
    const vk::DeviceInfo info = vk::choose_device(globals.device, globals.disable);
    announce(globals, vk::Device(info));
    OrderedJson measured = OrderedJson::array();
    const std::string text = tune(info, measured);
    for (const OrderedJson& m : measured)
      show(globals, fmt::format("{:<20} {:>20}  {:<18} {:>9.3f} ms", m.at("choice").get<std::string>(),
                                m.at("value").get<std::uint64_t>(), m.at("shape").get<std::string>(),
                                m.at("seconds").get<double>() * 1e3));
    const std::string path = vk::tuned_path(info).string();
    show(globals, fmt::format("{}\n{}", text, path.empty() ? "kept nowhere: no HOME" : path));
    print_json(globals, {{"device", info.name},
                         {"driver", info.driver},
                         {"choices", text},
                         {"measured", measured},
                         {"path", path}});
  });
}

}  // namespace walsh
