// walsh doctor: every kernel at small odd shapes against its reference in double, three optimizer steps of a
// small model against the same steps on the host, a hundred steps of QWHA, the same bits twice, and how fast
// the standard shapes run. The JSON is a certificate of the device and driver; --compare says where two of
// them differ.
#include <chrono>

#include "certificate.h"
#include "compile_only.h"
#include "kernel_case.h"
#include "measure.h"
#include "show.h"
#include "training_check.h"
#include "vk/matrices.h"
#include "vk/module_features.h"

namespace walsh {
namespace {

using Clock = std::chrono::steady_clock;

Verdict judge(vk::Device& device, const KernelCase& kernel, vk::Precision operands) {
  vk::run_once(device, kernel.record, operands);
  const Comparison result = kernel.compare();
  if (result.got.size() != result.expected.size() || result.got.size() != result.magnitude.size())
    fail("doctor: {} ({}) has {} values, its reference {}, their magnitudes {}", kernel.op, kernel.variant,
         result.got.size(), result.expected.size(), result.magnitude.size());
  const WorstError worst = worst_error(result.got, result.expected, result.magnitude);
  const double allowed = tolerance(result.length) + (kernel.products ? operand_rounding(operands) : 0);
  return {kernel.op, kernel.variant, kernel.shape, worst.error, allowed, worst.error <= allowed};
}

enum class Cases : std::uint8_t { all, on_matrix_units, with_large_tiles };

bool belongs(const std::string& op, Cases cases) {
  const bool product = op == "matmul" || op == "quant_matmul" || op == "multiply_matrices";
  return cases == Cases::all || product ||
         (cases == Cases::on_matrix_units && (op == "attention" || op == "sddmm_gathered"));
}

struct Findings {
  OrderedJson kernels = OrderedJson::array();
  int passed = 0, failed = 0;
  std::string failures;
};

/// Every case that has a reference, or those of some ops; `suffix` goes behind the variant's name.
void check_kernels(const Globals& globals, vk::Device& device, Cases cases, const std::string& suffix,
                   Findings& findings, vk::Precision operands = vk::Precision::fp32) {
  for (const auto& op : registered_ops()) {
    if (!belongs(op.op, cases)) continue;
    TensorStore store(device);
    for (const auto& kernel : op.factory(store, CaseSize::check)) {
      if (!kernel.compare) continue;
      Verdict verdict = judge(device, kernel, operands);
      verdict.variant += suffix;
      (verdict.pass ? findings.passed : findings.failed) += 1;
      if (!verdict.pass)
        findings.failures +=
            fmt::format("{}{} ({})", findings.failures.empty() ? "" : ", ", op.op, verdict.variant);
      show(globals,
           fmt::format("{:<14} {:<34} {:<28} {:>10.3g} {:>10.3g}  {}", verdict.name, verdict.variant,
                       verdict.shape, verdict.max_error, verdict.tolerance, verdict.pass ? "pass" : "FAIL"));
      findings.kernels.push_back(to_json(verdict));
    }
  }
}

/// What runs on matrix units, products in small and large tiles; on CPU drivers too, which never choose them
/// by themselves.
void check_matrices(const Globals& globals, vk::DeviceInfo info, const std::string& suffix,
                    Findings& findings) {
  info.tuning.lane_by_lane = false;
  for (const vk::Precision operands : {vk::Precision::fp16, vk::Precision::bf16}) {
    if (!vk::matrix_shape(info, operands)) continue;
    for (const bool large : {false, true}) {
      vk::DeviceInfo tuned = info;
      if (large) tuned.tuning.large_tile_results = 0;
      vk::Device device(std::move(tuned));
      check_kernels(globals, device, large ? Cases::with_large_tiles : Cases::on_matrix_units,
                    fmt::format(", {}{}{}", vk::name_of(operands), large ? ", large tiles" : "", suffix),
                    findings, operands);
    }
  }
}

/// Every kernel that the device is given: as sizes choose them, in the tiles of sizes that would take long to
/// compare with a reference, and on matrix units.
void check_variants(const Globals& globals, vk::Device& device, const std::string& suffix,
                    Findings& findings) {
  const vk::DeviceInfo& info = device.info();
  check_kernels(globals, device, Cases::all, suffix, findings);
  if (!info.tuning.lane_by_lane && info.tuning.large_tile_results > 0) {
    vk::DeviceInfo large = info;
    large.tuning.large_tile_results = 0;
    vk::Device with_large_tiles(std::move(large));
    check_kernels(globals, with_large_tiles, Cases::with_large_tiles, ", large tiles" + suffix, findings);
  }
  check_matrices(globals, info, suffix, findings);
}

OrderedJson check_steps(const Globals& globals, vk::Device& device, const WeightSource* model) {
  const TrainingCheck check = check_training(device, model);
  for (const auto& step : check.steps)
    show(globals,
         fmt::format("training, {}: loss {:.9f}, on the host {:.9f}", step.name, step.loss, step.expected));
  show(globals,
       fmt::format(
           "training: losses within {:.2g} of the host's (allowed {:.2g}): {}; the same bits twice: {}",
           check.max_error, check.tolerance, check.close ? "pass" : "FAIL",
           check.deterministic ? "pass" : "FAIL"));
  show(globals, fmt::format("training: loss of QWHA after {} steps: {:.9f}", check.adapter_losses.size(),
                            check.adapter_losses.back()));
  OrderedJson steps = OrderedJson::array();
  for (const auto& step : check.steps)
    steps.push_back({{"step", step.name}, {"loss", step.loss}, {"expected", step.expected}});
  return {{"steps", steps},
          {"adapter_losses", check.adapter_losses},
          {"max_error", check.max_error},
          {"tolerance", check.tolerance},
          {"pass", check.close},
          {"deterministic", check.deterministic}};
}

OrderedJson time_kernels(const Globals& globals, vk::Device& device, OrderedJson& json) {
  const DeviceRates rates = measure_rates(device);
  json["copy_gb_per_s"] = rates.bytes_per_second * 1e-9;
  json["arithmetic_tflop_per_s"] = rates.operations_per_second * 1e-12;
  show(globals, fmt::format("copies {:.1f} GB/s, multiplies and adds {:.1f} GFLOP/s",
                            rates.bytes_per_second * 1e-9, rates.operations_per_second * 1e-9));
  OrderedJson speeds = OrderedJson::array();
  const auto time_kernel = [&](const KernelCase& kernel, vk::Precision operands) {
    const Speed speed = measure_speed(device, kernel, rates, true, operands);
    show(globals, fmt::format("{:<14} {:<50} {:<28} {:>8.3g} GB/s {:>8.3g} GFLOP/s  {:>3.0f} % of {}",
                              kernel.op, kernel.variant, kernel.shape, speed.bytes_per_second * 1e-9,
                              speed.operations_per_second * 1e-9, speed.share * 100, speed.limit));
    speeds.push_back({{"name", kernel.op},
                      {"variant", kernel.variant},
                      {"shape", kernel.shape},
                      {"seconds", speed.seconds},
                      {"gb_per_s", speed.bytes_per_second * 1e-9},
                      {"gflop_per_s", speed.operations_per_second * 1e-9},
                      {"limit", speed.limit},
                      {"share_of_limit", speed.share}});
  };
  for (const auto& op : registered_ops()) {
    TensorStore store(device);
    for (const auto& kernel : op.factory(store, CaseSize::standard)) {
      time_kernel(kernel, vk::Precision::fp32);
      for (const vk::Precision operands : {vk::Precision::fp16, vk::Precision::bf16}) {
        if (!kernel.products || !vk::matrix_shape(device.info(), operands)) continue;
        KernelCase rounded = kernel;
        rounded.variant += fmt::format(", {}", vk::name_of(operands));
        time_kernel(rounded, operands);
      }
    }
  }
  return speeds;
}

void examine(const Globals& globals, const std::string& model, bool speeds) {
  const auto start = Clock::now();
  const std::unique_ptr<WeightSource> given = model.empty() ? nullptr : open_small_model(model);
  const auto device = open_device(globals);
  const vk::DeviceInfo& info = device->info();
  Findings findings;
  show(globals, fmt::format("{:<14} {:<34} {:<28} {:>10} {:>10}", "kernel", "variant", "shape", "max error",
                            "tolerance"));
  check_variants(globals, *device, "", findings);
  if (const auto sizes = vk::subgroup_sizes(info.limits); sizes.size() > 1) {
    for (const std::uint32_t size : sizes) {
      vk::DeviceInfo sized = info;
      sized.tuning.subgroup = size;
      vk::Device with_size(std::move(sized));
      check_variants(globals, with_size, fmt::format(", subgroups of {}", size), findings);
    }
  }
  const OrderedJson training = check_steps(globals, *device, given.get());
  OrderedJson json = {{"version", WALSH_VERSION},
                      {"device", info.name},
                      {"driver", info.driver},
                      {"api", info.api},
                      {"type", vk::name_of(info.type)},
                      {"tier", vk::tier_of(info.features)},
                      {"features", vk::names_of(info.features)},
                      {"features_used", vk::names_of(vk::features_used(info.features))},
                      {"quirks", info.quirks},
                      {"kernels_for", info.tuning.lane_by_lane ? "cpu" : "gpu"},
                      {"limits",
                       {{"storage_range_bytes", info.limits.max_storage_range},
                        {"allocation_bytes", info.limits.max_allocation},
                        {"workgroup_invocations", info.limits.max_invocations},
                        {"workgroup_shared_bytes", info.limits.max_shared_bytes},
                        {"push_constant_bytes", info.limits.max_push_bytes},
                        {"subgroup_min", info.limits.subgroup_min},
                        {"subgroup_max", info.limits.subgroup_max}}},
                      {"kernels", findings.kernels},
                      {"passed", findings.passed},
                      {"failed", findings.failed},
                      {"training", training}};
  if (speeds || info.type != vk::DeviceType::cpu) json["speeds"] = time_kernels(globals, *device, json);
  json["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
  show(globals, fmt::format("{} passed, {} failed on {} ({}); errors in units of 2^-24 of the terms added",
                            findings.passed, findings.failed, info.name, info.driver));
  print_json(globals, json);
  if (findings.failed > 0)
    fail("doctor: {} of {} kernels differ from their reference: {}", findings.failed,
         findings.passed + findings.failed, findings.failures);
  if (!training.at("pass")) fail("doctor: the training step's losses differ from those computed on the host");
  if (!training.at("deterministic")) fail("doctor: the same training steps gave other bits the second time");
}

}  // namespace

void add_doctor(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("doctor", "Runs every kernel on a device against its reference");
  command->footer(
      "Examples: walsh doctor --json > here.json\n"
      "          walsh doctor --model models/walsh-tiny\n"
      "          walsh doctor --compare here.json there.json\n"
      "Exit status 1 when a kernel or a training step differs from its reference by more than its "
      "tolerance.");
  add_globals(*command, globals);
  struct Arguments {
    std::vector<std::string> compared;
    std::string model;
    bool compile = false, speeds = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  auto* compare = command
                      ->add_option("--compare", arguments->compared,
                                   "Two certificates (what --json prints): says where they differ")
                      ->expected(2)
                      ->type_name("A.json B.json");
  auto* compile = command->add_flag("--compile-only", arguments->compile,
                                    "compile every kernel, run none; print the driver's statistics of each");
  auto* model = command->add_option("--model", arguments->model,
                                    "a small model whose training is compared with the host's too");
  model->excludes(compare);
  model->excludes(compile);
  command->add_flag("--speeds", arguments->speeds,
                    "time the standard shapes on a CPU driver too (always done on a GPU)");
  compare->excludes(compile);
  command->callback([&globals, arguments] {
    if (!arguments->compared.empty()) {
      compare_certificates(globals, arguments->compared[0], arguments->compared[1]);
    } else if (arguments->compile) {
      compile_only(globals);
    } else {
      examine(globals, arguments->model, arguments->speeds);
    }
  });
}

}  // namespace walsh
