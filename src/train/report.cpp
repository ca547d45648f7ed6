#include "train/report.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "train/charts.h"
#include "train/run_folder.h"

namespace walsh {
namespace {

namespace fs = std::filesystem;

/// Errors of one kind by layer and projection, as they stand in the model.
class ErrorGrid {
 public:
  void set(const std::string& module, double value) {
    const std::string last = module.substr(module.rfind('.') + 1);
    std::string column = last.substr(0, last.rfind("_proj"));
    if (std::ranges::find(columns_, column) == columns_.end()) columns_.push_back(column);
    constexpr std::string_view before = "layers.";
    const std::size_t at = module.find(before);
    const std::size_t layer =
        at == std::string::npos ? 0 : std::strtoul(module.c_str() + at + before.size(), nullptr, 10);
    if (layer > 100000) return;  // not a model's name
    layers_ = std::max(layers_, layer + 1);
    values_[{layer, std::move(column)}] = value;
  }
  bool empty() const { return values_.empty(); }
  double highest() const {
    double highest = 0;
    for (const auto& [place, value] : values_) highest = std::max(highest, value);
    return highest;
  }
  HeatMap map(std::string title, double highest) const {
    HeatMap map{
        .title = std::move(title), .columns = columns_, .values = {}, .lowest = 0, .highest = highest};
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      auto& row = map.values.emplace_back();
      for (const std::string& column : columns_) row.push_back(at(layer, column));
    }
    return map;
  }
  const std::vector<std::string>& columns() const { return columns_; }
  /// The geometric mean over layers; negative where there is none.
  double mean(const std::string& column) const {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t layer = 0; layer < layers_; ++layer)
      if (const double value = at(layer, column); value > 0) {
        sum += std::log(value);
        ++count;
      }
    return count > 0 ? std::exp(sum / static_cast<double>(count)) : -1;
  }

 private:
  double at(std::size_t layer, const std::string& column) const {
    const auto found = values_.find({layer, column});
    return found == values_.end() ? -1 : found->second;
  }
  std::vector<std::string> columns_;
  std::size_t layers_ = 0;
  std::map<std::pair<std::size_t, std::string>, double> values_;
};

struct NamedGrid {
  std::string name;
  ErrorGrid grid;
};

std::string number(double value) { return value < 0 ? "–" : fmt::format("{:.4g}", value); }

/// The means by projection, the pictures, and every value.
std::string draw_errors(const std::vector<NamedGrid>& grids) {
  double highest = 0;
  for (const NamedGrid& g : grids) highest = std::max(highest, g.grid.highest());
  const std::vector<std::string>& columns = grids.front().grid.columns();
  HtmlTable means{.head = {"geometric mean of the layers"}, .rows = {}};
  for (const std::string& column : columns) means.head.push_back(column);
  means.head.emplace_back("all");
  std::string maps;
  for (const NamedGrid& g : grids) {
    std::vector<std::string> row{g.name};
    double sum = 0, count = 0;
    for (const std::string& column : columns) {
      const double mean = g.grid.mean(column);
      row.push_back(number(mean));
      if (mean > 0) {
        sum += std::log(mean);
        ++count;
      }
    }
    row.push_back(number(count > 0 ? std::exp(sum / count) : -1));
    means.rows.push_back(std::move(row));
    maps += draw(g.grid.map(g.name, highest));
  }
  return draw(means) + "<p></p><div class=\"charts\">" + maps + "</div>\n";
}

std::string draw_facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  HtmlTable table{.head = {}, .rows = {}, .text_columns = 2};
  for (const auto& [name, value] : facts) table.rows.push_back({name, value});
  return draw(table);
}

double value_of(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number() ? found->get<double>()
                                                   : std::numeric_limits<double>::quiet_NaN();
}

struct RunCurves {
  Series loss{"training loss", {}}, eval{"evaluation loss", {}, true}, rate{"learning rate", {}},
      norm{"gradient norm", {}}, speed{"tokens/s", {}}, memory{"MiB", {}};
  std::vector<std::pair<double, std::string>> samples;
  double tokens = 0, seconds = 0;
};

RunCurves read_metrics(const fs::path& file) {
  RunCurves curves;
  if (!fs::exists(file)) return curves;
  std::stringstream lines(read_text(file));
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text, nullptr, false);
    if (!line.is_object()) continue;
    const double step = value_of(line, "step");
    if (!std::isfinite(step)) continue;
    const auto add = [&](Series& series, const char* key, double unit = 1) {
      if (const double value = value_of(line, key); std::isfinite(value))
        series.points.emplace_back(step, value / unit);
    };
    add(curves.loss, "loss");
    add(curves.eval, "eval_loss");
    add(curves.rate, "learning_rate");
    add(curves.norm, "grad_norm");
    add(curves.speed, "tokens_per_second");
    add(curves.memory, "memory_bytes", 1 << 20);
    if (const double tokens = value_of(line, "tokens"); std::isfinite(tokens)) curves.tokens = tokens;
    if (const double seconds = value_of(line, "seconds"); std::isfinite(seconds)) curves.seconds = seconds;
    if (const auto sample = line.find("sample"); sample != line.end() && sample->is_string())
      curves.samples.emplace_back(step, sample->get<std::string>());
  }
  return curves;
}

std::string draw_layers(const fs::path& file) {
  if (!fs::exists(file)) return {};
  const std::string source = file.string();
  const Json json = read_json(file);
  require(json.is_array(), "{}: expected a list of layers", source);
  NamedGrid before{"before: quantised", {}}, after{"after: with the adapter", {}};
  HtmlTable table{.head = {"layer", "coefficients", "before", "after", "left"}, .rows = {}};
  for (const Json& layer : json) {
    const auto name = json_at<std::string>(layer, "name", source);
    const auto then = json_at<double>(layer, "error_before", source),
               now = json_at<double>(layer, "error", source);
    before.grid.set(name, then);
    after.grid.set(name, now);
    table.rows.push_back({name, fmt::format("{}", json_at<std::uint64_t>(layer, "coefficients", source)),
                          number(then), number(now), number(then > 0 ? now / then : -1)});
  }
  if (before.grid.empty() || before.grid.highest() == 0) return {};
  return "<h2>Initialisation</h2>\n<p>Relative 2-norm of a layer's output error over the calibration tokens, "
         "‖(W − Ŵ)X‖ / ‖WX‖.</p>\n" +
         draw_errors({before, after}) + "<details><summary>every layer</summary>" + draw(table) +
         "</details>\n";
}

}  // namespace

std::string run_report(const fs::path& run) {
  require(is_run(run), "{}: not a run of walsh train (no config.yaml and base.json)", run.string());
  const RunCurves curves = read_metrics(run / "metrics.jsonl");
  RunOptions options;
  read_options(options, run / "config.yaml");
  const RunBase base = read_base(run);

  std::string body = fmt::format("<h1>{}</h1>\n", html_text(run.filename().string()));
  const auto last = [](const Series& series) {
    return series.points.empty() ? std::string("–") : fmt::format("{:.4f}", series.points.back().second);
  };
  body += fmt::format(
      "<p>{} on {}: {} steps, {:.0f} tokens in {:.0f} s; training loss {} → {}{}</p>\n",
      html_text(options.method), html_text(fs::path(options.model).filename().string()),
      curves.loss.points.empty() ? 0.0 : curves.loss.points.back().first, curves.tokens, curves.seconds,
      curves.loss.points.empty() ? "–" : fmt::format("{:.4f}", curves.loss.points.front().second),
      last(curves.loss),
      curves.eval.points.empty() ? ""
                                 : fmt::format("; evaluation loss {}, perplexity {:.3f}", last(curves.eval),
                                               std::exp(curves.eval.points.back().second)));
  std::vector<Series> losses{curves.loss};
  if (!curves.eval.points.empty()) losses.push_back(curves.eval);
  body += "<h2>Training</h2>\n<div class=\"charts\">\n" +
          draw(LineChart{"loss, nats a token", "step", losses}) +
          draw(LineChart{"learning rate", "step", {curves.rate}, true}) +
          draw(LineChart{"tokens a second", "step", {curves.speed}, true}) +
          draw(LineChart{"device memory, MiB", "step", {curves.memory}, true}) +
          draw(LineChart{"gradient norm before clipping", "step", {curves.norm}, true}) + "</div>\n";
  body += draw_layers(run / "layers.json");
  if (!curves.samples.empty()) {
    body += "<h2>Samples</h2>\n";
    for (const auto& [step, text] : curves.samples)
      body += fmt::format("<p>step {}</p><pre>{}</pre>\n", step, html_text(options.sample_prompt + text));
  }
  std::vector<std::pair<std::string, std::string>> facts{{"base", base_folder(run, base).string()},
                                                         {"base fingerprint", base.fingerprint}};
  visit_options(options, [&](const char* name, const auto& value, bool, const char*) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::optional<std::uint64_t>>) {
      if (value) facts.emplace_back(name, fmt::format("{}", *value));
    } else {
      facts.emplace_back(name, fmt::format("{}", value));
    }
  });
  for (const auto& [name, value] : options.set) facts.emplace_back("set " + name, value);
  body += "<h2>Configuration and fingerprints</h2>\n" + draw_facts(facts);
  return html_page("walsh: " + run.filename().string(), body);
}

std::string quantize_report(const std::string& title, const QuantizeResult& result,
                            const std::vector<std::pair<std::string, std::string>>& facts) {
  NamedGrid weights{"error of the weights, ‖W − Ŵ‖ / ‖W‖", {}},
      outputs{"error of the outputs, ‖(W − Ŵ)X‖ / ‖WX‖", {}};
  HtmlTable table{.head = {"layer", "weights", "outputs", "damping"}, .rows = {}};
  for (const LayerError& layer : result.layers) {
    weights.grid.set(layer.name, layer.error);
    if (layer.output_error >= 0) outputs.grid.set(layer.name, layer.output_error);
    table.rows.push_back({layer.name, number(layer.error), number(layer.output_error),
                          layer.damping > 0 ? number(layer.damping) : "–"});
  }
  std::vector<NamedGrid> grids{weights};
  if (!outputs.grid.empty()) grids.push_back(outputs);
  const std::string body = fmt::format("<h1>{}</h1>\n<p>{:.3f} bits a weight</p>\n<h2>Errors</h2>\n",
                                       html_text(title), result.bits_per_weight) +
                           draw_errors(grids) + "<details><summary>every layer</summary>" + draw(table) +
                           "</details>\n<h2>Configuration and fingerprints</h2>\n" + draw_facts(facts);
  return html_page("walsh: " + title, body);
}

void write_layer_errors(const fs::path& run, const std::vector<StartError>& layers) {
  OrderedJson list = OrderedJson::array();
  for (const StartError& layer : layers)
    list.push_back({{"name", layer.module},
                    {"coefficients", layer.coefficients},
                    {"error_before", layer.before},
                    {"error", layer.after}});
  write_file(run / "layers.json", list.dump(1) + "\n");
}

}  // namespace walsh
