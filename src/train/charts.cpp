#include "train/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace walsh {
namespace {

constexpr double width = 560, height = 240, left = 62, right = 14, top = 12, bottom = 40;
constexpr const char* colours[] = {"#2166ac", "#b2182b", "#1b7837", "#762a83"};

struct Axis {
  double low, high, step;
};

/// An axis over [low, high] whose ticks are 1, 2 or 5 times a power of ten apart.
Axis axis_over(double low, double high) {
  if (!(high > low)) {
    const double room = std::abs(low) > 0 ? 0.1 * std::abs(low) : 1.0;
    low -= room;
    high += room;
  }
  const double rough = (high - low) / 5, power = std::pow(10.0, std::floor(std::log10(rough)));
  const double step = power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
}

std::string tick_text(double value, double step) {
  if (std::abs(value) < step * 1e-6) return "0";
  const double size = std::max(std::abs(value), step);
  if (size >= 1e6 || step < 1e-4) return fmt::format("{:.3g}", value);
  return fmt::format("{:.{}f}", value, std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))));
}

/// Between light and dark blue.
std::string cell_colour(double share) {
  const double t = std::clamp(share, 0.0, 1.0);
  const auto mix = [&](int from, int to) { return static_cast<int>(std::lround(from + t * (to - from))); };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(247, 8), mix(251, 48), mix(255, 107));
}

std::string figure(std::string_view title, std::string_view picture) {
  return fmt::format("<figure><figcaption>{}</figcaption>{}</figure>\n", html_text(title), picture);
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string draw(const LineChart& chart) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double x_low = infinity, x_high = -infinity, y_low = infinity, y_high = -infinity;
  for (const Series& series : chart.series)
    for (const auto& [x, y] : series.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      x_low = std::min(x_low, x);
      x_high = std::max(x_high, x);
      y_low = std::min(y_low, y);
      y_high = std::max(y_high, y);
    }
  if (x_low > x_high) return {};
  if (chart.from_zero) y_low = std::min(y_low, 0.0);
  const Axis xs = axis_over(x_low, x_high), ys = axis_over(y_low, y_high);
  const double x_end = std::max(x_high, x_low + 1e-12);
  const auto px = [&](double x) { return left + (x - x_low) / (x_end - x_low) * (width - left - right); };
  const auto py = [&](double y) {
    return height - bottom - (y - ys.low) / (ys.high - ys.low) * (height - top - bottom);
  };
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\">", width, height);
  for (int i = 0; ys.low + i * ys.step <= ys.high + ys.step / 2; ++i) {
    const double value = ys.low + i * ys.step;
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", left,
                       width - right, py(value), py(value));
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 6, py(value) + 4,
                       tick_text(value, ys.step));
  }
  for (int i = 0; xs.low + i * xs.step <= x_high + xs.step * 1e-6; ++i) {
    const double value = xs.low + i * xs.step;
    if (value < x_low - xs.step * 1e-6) continue;
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", px(value),
                       height - bottom + 16, tick_text(value, xs.step));
  }
  svg += fmt::format("<line class=\"axis\" x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\"/>", left,
                     width - right, height - bottom);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>", (left + width - right) / 2,
                     height - 6, html_text(chart.x_label));
  double legend = left + 10;
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    const Series& series = chart.series[s];
    const char* colour = colours[s % std::size(colours)];
    std::string path, marks;
    for (const auto& [x, y] : series.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", px(x), py(y));
      if (series.marks || series.points.size() == 1)
        marks += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}: {:.6g}</title>"
            "</circle>",
            px(x), py(y), colour, html_text(series.name), y);
    }
    svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"/>{}", path, colour,
                       marks);
    if (chart.series.size() > 1) {
      svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"4\" fill=\"{}\"/>", legend, top + 4,
                         colour);
      svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", legend + 17, top + 10, html_text(series.name));
      legend += 34 + 7.0 * static_cast<double>(series.name.size());
    }
  }
  return figure(chart.title, svg + "</svg>");
}

std::string draw(const HeatMap& map) {
  constexpr double cell_width = 62, labels = 34, head = 20;
  const std::size_t rows = map.values.size();
  const double cell_height = rows > 40 ? 12 : 18;
  const double w = labels + cell_width * static_cast<double>(map.columns.size()) + 4,
               h = head + cell_height * static_cast<double>(rows) + 4;
  std::string svg = fmt::format("<svg viewBox=\"0 0 {0} {1}\" style=\"max-width:{0}px\" role=\"img\">", w, h);
  for (std::size_t c = 0; c < map.columns.size(); ++c)
    svg += fmt::format("<text x=\"{}\" y=\"13\" text-anchor=\"middle\">{}</text>",
                       labels + cell_width * (static_cast<double>(c) + 0.5), html_text(map.columns[c]));
  const double span = map.highest > map.lowest ? map.highest - map.lowest : 1;
  for (std::size_t r = 0; r < rows; ++r) {
    const double y = head + cell_height * static_cast<double>(r);
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", labels - 6,
                       y + cell_height / 2 + 4, r);
    for (std::size_t c = 0; c < map.values[r].size(); ++c) {
      const double value = map.values[r][c], share = (value - map.lowest) / span;
      if (value < 0) continue;
      const double x = labels + cell_width * static_cast<double>(c);
      svg += fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"><title>layer {}, {}: "
          "{:.4g}</title></rect>",
          x, y, cell_width - 1, cell_height - 1, cell_colour(share), r, html_text(map.columns[c]), value);
      svg += fmt::format(
          "<text class=\"cell\" x=\"{}\" y=\"{}\" text-anchor=\"middle\" style=\"fill:{}\">{:.3f}"
          "</text>",
          x + cell_width / 2, y + cell_height / 2 + 4, share > 0.55 ? "#fff" : "#222", value);
    }
  }
  return figure(map.title, svg + "</svg>");
}

std::string draw(const HtmlTable& table) {
  const auto row = [&](const std::vector<std::string>& cells, const char* tag) {
    std::string out = "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i)
      out += fmt::format("<{0}{1}>{2}</{0}>", tag, i < table.text_columns ? "" : " class=\"n\"",
                         html_text(cells[i]));
    return out + "</tr>\n";
  };
  std::string out = "<div class=\"wide\"><table>\n";
  if (!table.head.empty()) out += "<thead>" + row(table.head, "th") + "</thead>";
  for (const auto& cells : table.rows) out += row(cells, "td");
  return out + "</table></div>\n";
}

std::string html_page(std::string_view title, std::string_view body) {
  constexpr std::string_view style = R"(
body{font:15px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:1200px;margin:2em auto;padding:0 1.2em}
h1{font-size:1.5em;margin-bottom:.2em}h2{font-size:1.15em;margin:1.8em 0 .6em;border-bottom:1px solid #ddd}
.charts{display:flex;flex-wrap:wrap;gap:18px}figure{margin:0;flex:1 1 480px;max-width:580px}
figcaption{font-weight:600;margin-bottom:4px}svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,sans-serif;fill:#444}svg text.cell{font-size:10px}
.grid{stroke:#e6e6e6}.axis{stroke:#888}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88em}
th,td{padding:2px 10px;text-align:left;border-bottom:1px solid #eee;vertical-align:top}
th{border-bottom:1px solid #999}.n{text-align:right;font-variant-numeric:tabular-nums}
td{overflow-wrap:anywhere}pre{white-space:pre-wrap;background:#f6f6f6;padding:.6em;font-size:.88em}
details{margin:.6em 0}summary{cursor:pointer;font-weight:600}
)";
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>{}</title><style>{}</style></head>\n<body>\n{}"
      "</body></html>\n",
      html_text(title), style, body);
}

}  // namespace walsh
