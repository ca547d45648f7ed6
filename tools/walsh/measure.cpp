#include "measure.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "ops/multiply_add.h"

namespace walsh {
namespace {

// Short kernels are recorded several times over, so that submitting does not show.
constexpr double shortest_run_seconds = 5e-3;
constexpr std::uint32_t most_copies = 64;
// A run this long is a sample from the first time on.
constexpr double long_run_seconds = 1;
constexpr std::size_t fewest_samples = 3, most_samples = 15;
constexpr double case_seconds = 0.3;

double run_seconds(vk::Device& device, vk::Recording& recording) {
  device.wait_idle();
  const auto start = std::chrono::steady_clock::now();
  device.wait(device.submit(recording));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

vk::Recording record(vk::Device& device, const std::function<void(vk::Recorder&)>& work,
                     std::uint32_t copies) {
  vk::Recorder recorder(device);
  for (std::uint32_t i = 0; i < copies; ++i) work(recorder);
  return recorder.finish();
}

/// Seconds of runs of `work`, sorted, by the host's clock around replays of a recording.
std::vector<double> sample_seconds(vk::Device& device, const std::function<void(vk::Recorder&)>& work,
                                   bool hurry = false) {
  std::vector<double> samples;
  vk::Recording recording = record(device, work, 1);
  run_seconds(device, recording);  // drivers compile at the first run; what it measures is without that
  const auto& pieces = recording.piece_seconds();
  const double first = std::accumulate(pieces.begin(), pieces.end(), 0.0);
  std::uint32_t copies = 1;
  if (first > long_run_seconds) {
    samples.push_back(first);
  } else if (const double once = run_seconds(device, recording); once < shortest_run_seconds) {
    copies = static_cast<std::uint32_t>(std::min<double>(most_copies, shortest_run_seconds / once + 1));
    recording = record(device, work, copies);
    run_seconds(device, recording);
  }
  const std::size_t wanted = hurry ? 1 : fewest_samples;
  for (double spent = 0;
       samples.size() < wanted || (!hurry && spent < case_seconds && samples.size() < most_samples);) {
    const double seconds = run_seconds(device, recording);
    spent += seconds;
    samples.push_back(seconds / copies);
  }
  std::sort(samples.begin(), samples.end());
  return samples;
}

}  // namespace

DeviceRates measure_rates(vk::Device& device) {
  const std::uint64_t bytes = std::uint64_t{device.info().type == vk::DeviceType::cpu ? 64u : 256u} << 20;
  vk::Arena arena("copy");
  const vk::Slice from = arena.reserve(bytes), to = arena.reserve(bytes);
  arena.commit(device);
  const double copy = sample_seconds(device, [&](Recorder& rec) { rec.copy(to, from); }).front();
  constexpr std::uint64_t elements = 1 << 20;
  constexpr std::uint32_t rounds = 16;
  TensorStore store(device);
  const Tensor y = store.empty({elements});
  const double sums =
      sample_seconds(device, [&](Recorder& rec) { multiply_add(rec, y, rounds, 0.75f); }).front();
  return {2.0 * static_cast<double>(bytes) / copy, multiply_add_operations(rounds) * elements / sums};
}

Speed measure_speed(vk::Device& device, const KernelCase& kernel, const DeviceRates& rates, bool hurry) {
  const std::vector<double> samples = sample_seconds(device, kernel.record, hurry);
  const double seconds = samples[samples.size() / 2];
  const double moving = kernel.bytes / rates.bytes_per_second;
  const double computing = kernel.operations / rates.operations_per_second;
  return {seconds, kernel.bytes / seconds, kernel.operations / seconds,
          moving >= computing ? "bandwidth" : "arithmetic", std::max(moving, computing) / seconds};
}

}  // namespace walsh
