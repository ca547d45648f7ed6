// Pictures and tables of a report: pieces of HTML with inline SVG that need nothing from elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace walsh {

/// Text as HTML: & < > and quotes escaped.
std::string html_text(std::string_view text);

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending
  bool marks = false;                             // a dot at each point
};

struct LineChart {
  std::string title, x_label;
  std::vector<Series> series;
  bool from_zero = false;  // the y axis begins at 0
};
/// Empty where no series has a point.
std::string draw(const LineChart& chart);

/// A table of numbers as coloured cells: rows are layers, columns projections. A negative value is a gap.
struct HeatMap {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<double>> values;  // by row
  double lowest = 0, highest = 1;           // of the colours; the same in maps that are compared
};
std::string draw(const HeatMap& map);

struct HtmlTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
  std::size_t text_columns = 1;  // from the left; the others are numbers, set to the right
};
std::string draw(const HtmlTable& table);

/// A whole page around `body`.
std::string html_page(std::string_view title, std::string_view body);

}  // namespace walsh
