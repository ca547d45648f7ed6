#include "certificate.h"

#include <algorithm>
#include <cmath>

#include "show.h"

namespace walsh {
namespace {

struct Certificate {
  std::string device, driver;
  std::vector<std::string> features_used;
  std::vector<Verdict> verdicts;
  std::vector<double> adapter_losses;  // none in those of an older walsh; NaN where JSON has null
};

std::vector<double> read_losses(const Json& certificate, const std::string& source) {
  std::vector<double> losses;
  if (!certificate.contains("training")) return losses;
  for (const Json& loss :
       json_or<std::vector<Json>>(certificate.at("training"), "adapter_losses", {}, source)) {
    require(loss.is_null() || loss.is_number(), "{}: adapter_losses holds {}, expected numbers or null",
            source, loss.type_name());
    losses.push_back(loss.is_null() ? std::nan("") : loss.get<double>());
  }
  return losses;
}

Certificate read_certificate(const std::filesystem::path& path) {
  const Json json = read_json(path);
  const std::string source = path.string();
  Certificate certificate{json_at<std::string>(json, "device", source),
                          json_or<std::string>(json, "driver", "", source),
                          json_at<std::vector<std::string>>(json, "features_used", source),
                          {},
                          read_losses(json, source)};
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

/// The largest relative difference of two courses of training, 0 where one has none, infinite where a loss of
/// one alone is not finite.
double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (same(a[i], b[i])) continue;
    const double difference = std::abs(a[i] - b[i]) / std::abs(a[i]);
    worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
  }
  return worst;
}

std::string text(const Verdict* verdict) {
  return verdict ? fmt::format("{} {:.4g}", verdict->pass ? "pass" : "FAIL", verdict->max_error) : "absent";
}

}  // namespace

OrderedJson to_json(const Verdict& verdict) {
  OrderedJson json{{"name", verdict.name}, {"variant", verdict.variant}, {"shape", verdict.shape}};
  json["max_error"] =
      std::isfinite(verdict.max_error) ? OrderedJson(verdict.max_error) : OrderedJson(nullptr);
  json["tolerance"] = verdict.tolerance;
  json["pass"] = verdict.pass;
  return json;
}

void compare_certificates(const Globals& globals, const std::filesystem::path& path_a,
                          const std::filesystem::path& path_b) {
  const Certificate a = read_certificate(path_a), b = read_certificate(path_b);
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
  if (const double worst = apart(a.adapter_losses, b.adapter_losses); worst != 0)
    note("training", a.adapter_losses.back(), b.adapter_losses.back(),
         fmt::format(
             "training: losses of {} steps of QWHA within {:.2g} of one another, the last {:.9g} | {:.9g}",
             a.adapter_losses.size(), worst, a.adapter_losses.back(), b.adapter_losses.back()));
  show(globals, fmt::format("{} kernels agree to the last bit of their error; {} differences", equal,
                            differences.size()));
  print_json(
      globals,
      {{"a", path_a.string()}, {"b", path_b.string()}, {"equal", equal}, {"differences", differences}});
}

}  // namespace walsh
