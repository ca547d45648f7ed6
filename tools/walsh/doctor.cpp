// walsh doctor: every kernel at small odd shapes against its reference in double. The JSON is a certificate
// of the device and driver; --compare says where two of them differ.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli.h"
#include "kernel_case.h"
#include "show.h"
#include "vk/module_features.h"

namespace walsh {
namespace {

struct Verdict {
  std::string name, variant, shape;
  double max_error = 0;  // in units of eps · magnitude, see ops/tolerance.h
  double tolerance = 0;
  bool pass = false;
};

Verdict judge(vk::Device& device, const KernelCase& kernel) {
  vk::run_once(device, kernel.record);
  const Comparison result = kernel.compare();
  if (result.got.size() != result.expected.size() || result.got.size() != result.magnitude.size())
    fail("doctor: {} ({}) has {} values, its reference {}, their magnitudes {}", kernel.op, kernel.variant,
         result.got.size(), result.expected.size(), result.magnitude.size());
  const WorstError worst = worst_error(result.got, result.expected, result.magnitude);
  const double allowed = tolerance(result.length);
  return {kernel.op, kernel.variant, kernel.shape, worst.error, allowed, worst.error <= allowed};
}

OrderedJson to_json(const Verdict& verdict) {
  OrderedJson json{{"name", verdict.name}, {"variant", verdict.variant}, {"shape", verdict.shape}};
  json["max_error"] =
      std::isfinite(verdict.max_error) ? OrderedJson(verdict.max_error) : OrderedJson(nullptr);
  json["tolerance"] = verdict.tolerance;
  json["pass"] = verdict.pass;
  return json;
}

void examine(const Globals& globals) {
  const auto device = open_device(globals);
  OrderedJson kernels = OrderedJson::array();
  int passed = 0, failed = 0;
  std::string failures;
  show(globals, fmt::format("{:<14} {:<34} {:<28} {:>10} {:>10}", "kernel", "variant", "shape", "max error",
                            "tolerance"));
  for (const auto& op : registered_ops()) {
    TensorStore store(*device);
    for (const auto& kernel : op.factory(store, CaseSize::check)) {
      if (!kernel.compare) continue;
      const Verdict verdict = judge(*device, kernel);
      (verdict.pass ? passed : failed) += 1;
      if (!verdict.pass)
        failures += fmt::format("{}{} ({})", failures.empty() ? "" : ", ", op.op, kernel.variant);
      show(globals,
           fmt::format("{:<14} {:<34} {:<28} {:>10.3g} {:>10.3g}  {}", verdict.name, verdict.variant,
                       verdict.shape, verdict.max_error, verdict.tolerance, verdict.pass ? "pass" : "FAIL"));
      kernels.push_back(to_json(verdict));
    }
  }
  const auto& info = device->info();
  show(globals, fmt::format("{} passed, {} failed on {} ({}); errors in units of 2^-24 of the terms added",
                            passed, failed, info.name, info.driver));
  print_json(globals, {{"device", info.name},
                       {"driver", info.driver},
                       {"api", info.api},
                       {"features", vk::names_of(info.features)},
                       {"features_used", vk::names_of(vk::features_used(info.features))},
                       {"kernels", kernels},
                       {"passed", passed},
                       {"failed", failed}});
  if (failed > 0)
    fail("doctor: {} of {} kernels differ from their reference: {}", failed, passed + failed, failures);
}

struct Certificate {
  std::string device, driver;
  std::vector<std::string> features_used;
  std::vector<Verdict> verdicts;
};

Certificate read_certificate(const std::filesystem::path& path) {
  const Json json = read_json(path);
  const std::string source = path.string();
  Certificate certificate{json_at<std::string>(json, "device", source),
                          json_or<std::string>(json, "driver", "", source),
                          json_at<std::vector<std::string>>(json, "features_used", source),
                          {}};
  const Json kernels = json_at<Json>(json, "kernels", source);
  require(kernels.is_array(), "{}: kernels is {}, expected an array as walsh doctor --json writes it", source,
          kernels.type_name());
  for (const Json& kernel : kernels) {
    certificate.verdicts.push_back(
        {json_at<std::string>(kernel, "name", source), json_at<std::string>(kernel, "variant", source),
         json_or<std::string>(kernel, "shape", "", source),
         json_or<double>(kernel, "max_error", std::nan(""), source),
         json_at<double>(kernel, "tolerance", source), json_at<bool>(kernel, "pass", source)});
  }
  return certificate;
}

const Verdict* find(const Certificate& certificate, const Verdict& other) {
  const auto& all = certificate.verdicts;
  const auto found = std::find_if(all.begin(), all.end(), [&](const Verdict& verdict) {
    return verdict.name == other.name && verdict.variant == other.variant && verdict.shape == other.shape;
  });
  return found == all.end() ? nullptr : &*found;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

std::string text(const Verdict* verdict) {
  return verdict ? fmt::format("{} {:.4g}", verdict->pass ? "pass" : "FAIL", verdict->max_error) : "absent";
}

void compare(const Globals& globals, const std::vector<std::string>& paths) {
  const Certificate a = read_certificate(paths[0]), b = read_certificate(paths[1]);
  OrderedJson differences = OrderedJson::array();
  const auto note = [&](const std::string& what, const OrderedJson& in_a, const OrderedJson& in_b,
                        const std::string& line) {
    show(globals, line);
    differences.push_back({{"what", what}, {"a", in_a}, {"b", in_b}});
  };
  const auto note_text = [&](const char* what, const std::string& in_a, const std::string& in_b) {
    if (in_a != in_b) note(what, in_a, in_b, fmt::format("{}: {} | {}", what, in_a, in_b));
  };
  note_text("device", a.device, b.device);
  note_text("driver", a.driver, b.driver);
  note_text("features_used", fmt::format("{}", fmt::join(a.features_used, " ")),
            fmt::format("{}", fmt::join(b.features_used, " ")));
  const auto note_kernel = [&](const Verdict& kernel, const Verdict* in_a, const Verdict* in_b) {
    const std::string what = fmt::format("{} {} {}", kernel.name, kernel.variant, kernel.shape);
    note(what, in_a ? to_json(*in_a) : OrderedJson(nullptr), in_b ? to_json(*in_b) : OrderedJson(nullptr),
         fmt::format("{}: {} | {}", what, text(in_a), text(in_b)));
  };
  std::size_t equal = 0;
  for (const Verdict& kernel : a.verdicts) {
    const Verdict* other = find(b, kernel);
    if (other && other->pass == kernel.pass && same(other->max_error, kernel.max_error)) {
      ++equal;
    } else {
      note_kernel(kernel, &kernel, other);
    }
  }
  for (const Verdict& kernel : b.verdicts)
    if (!find(a, kernel)) note_kernel(kernel, nullptr, &kernel);
  show(globals, fmt::format("{} kernels agree to the last bit of their error; {} differences", equal,
                            differences.size()));
  print_json(globals, {{"a", paths[0]}, {"b", paths[1]}, {"equal", equal}, {"differences", differences}});
}

}  // namespace

void add_doctor(CLI::App& app, Globals& globals) {
  CLI::App* command = app.add_subcommand("doctor", "Runs every kernel on a device against its reference");
  command->footer(
      "Examples: walsh doctor --json > here.json\n"
      "          walsh doctor --compare here.json there.json\n"
      "Exit status 1 when a kernel differs from its reference by more than its tolerance.");
  add_globals(*command, globals);
  const auto paths = std::make_shared<std::vector<std::string>>();
  command->add_option("--compare", *paths, "Two certificates (what --json prints): says where they differ")
      ->expected(2)
      ->type_name("A.json B.json");
  command->callback([&globals, paths] {
    if (paths->empty()) {
      examine(globals);
    } else {
      compare(globals, *paths);
    }
  });
}

}  // namespace walsh
