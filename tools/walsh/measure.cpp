#include "measure.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "ops/multiply_add.h"
#include "ops/multiply_matrices.h"

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

vk::Recording record(vk::Device& device, const std::function<void(vk::Recorder&)>& work, std::uint32_t copies,
                     vk::Precision operands) {
  vk::Recorder recorder(device, false, operands);
  for (std::uint32_t i = 0; i < copies; ++i) work(recorder);
  return recorder.finish();
}

/// Seconds of runs of `work`, sorted, by the host's clock around replays of a recording.
std::vector<double> sample_seconds(vk::Device& device, const std::function<void(vk::Recorder&)>& work,
                                   bool hurry = false, vk::Precision operands = vk::Precision::fp32) {
  std::vector<double> samples;
  vk::Recording recording = record(device, work, 1, operands);
  run_seconds(device, recording);  // drivers compile at the first run; what it measures is without that
  const auto& pieces = recording.piece_seconds();
  const double first = std::accumulate(pieces.begin(), pieces.end(), 0.0);
  std::uint32_t copies = 1;
  if (first > long_run_seconds) {
    samples.push_back(first);
  } else if (const double once = run_seconds(device, recording); once < shortest_run_seconds) {
    copies = static_cast<std::uint32_t>(std::min<double>(most_copies, shortest_run_seconds / once + 1));
    recording = record(device, work, copies, operands);
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

// Operands are random, since idle bits make a GPU faster than it is.
double matrix_rate(vk::Device& device, vk::Precision operands) {
  const vk::MatrixShape shape = vk::matrix_shape(device.info(), operands);
  if (!shape) return 0;
  constexpr std::uint32_t rounds = 256;
  const std::uint64_t subgroups = device.info().type == vk::DeviceType::cpu ? 64 : 16384;
  TensorStore store(device);
  const Tensor c = store.empty({subgroups, shape.m, shape.n}),
               ab = store.f32({std::uint64_t{shape.k} * (shape.m + shape.n)},
                              normal(shape.k * (shape.m + shape.n), 1));
  const auto work = [&](Recorder& rec) { multiply_matrices(rec, c, ab, operands, rounds); };
  return multiply_matrices_operations(shape, rounds) * static_cast<double>(subgroups) /
         sample_seconds(device, work).front();
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
  DeviceRates rates{2.0 * static_cast<double>(bytes) / copy,
                    multiply_add_operations(rounds) * elements / sums};
  rates.fp16_matrices_per_second = matrix_rate(device, vk::Precision::fp16);
  rates.bf16_matrices_per_second = matrix_rate(device, vk::Precision::bf16);
  return rates;
}

double DeviceRates::operations(vk::Precision operands) const {
  return operands == vk::Precision::fp32   ? operations_per_second
         : operands == vk::Precision::fp16 ? fp16_matrices_per_second
                                           : bf16_matrices_per_second;
}

Speed measure_speed(vk::Device& device, const KernelCase& kernel, const DeviceRates& rates, bool hurry,
                    vk::Precision operands) {
  const std::vector<double> samples = sample_seconds(device, kernel.record, hurry, operands);
  const double seconds = samples[samples.size() / 2];
  const double moving = kernel.bytes / rates.bytes_per_second;
  const vk::Precision rounded = kernel.products ? operands : kernel.operands;
  const double computing = kernel.operations / rates.operations(rounded);
  return {seconds, kernel.bytes / seconds, kernel.operations / seconds,
          moving >= computing              ? "bandwidth"
          : rounded == vk::Precision::fp32 ? "arithmetic"
                                           : "matrices",
          std::max(moving, computing) / seconds};
}

}  // namespace walsh
