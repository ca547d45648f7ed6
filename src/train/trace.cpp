#include "train/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace walsh {

void write_trace(const std::filesystem::path& file, std::span<const vk::ScopeTime> times) {
  double start = 0;
  if (!times.empty()) {
    start = std::min_element(times.begin(), times.end(), [](const auto& a, const auto& b) {
              return a.begin_seconds < b.begin_seconds;
            })->begin_seconds;
  }
  OrderedJson events = OrderedJson::array();
  for (const bool dispatch : {false, true}) {
    events.push_back({{"name", "thread_name"},
                      {"ph", "M"},
                      {"pid", 0},
                      {"tid", dispatch ? 1 : 0},
                      {"args", {{"name", dispatch ? "dispatches" : "scopes"}}}});
  }
  for (const vk::ScopeTime& time : times) {
    events.push_back({{"name", time.name},
                      {"ph", "X"},  // a span; microseconds
                      {"ts", (time.begin_seconds - start) * 1e6},
                      {"dur", time.seconds * 1e6},
                      {"pid", 0},
                      {"tid", time.dispatch ? 1 : 0}});
  }
  write_file(file, OrderedJson{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump() + "\n");
}

std::string busiest_kernels(std::span<const vk::ScopeTime> times) {
  constexpr std::size_t shown = 8;
  std::map<std::string, double> by_name;
  double total = 0;
  for (const vk::ScopeTime& time : times) {
    if (!time.dispatch) continue;
    by_name[time.name] += time.seconds;
    total += time.seconds;
  }
  std::vector<std::pair<double, std::string>> kernels;
  for (const auto& [name, seconds] : by_name) kernels.emplace_back(seconds, name);
  std::sort(kernels.rbegin(), kernels.rend());
  if (kernels.size() > shown) kernels.resize(shown);
  std::string text;
  for (const auto& [seconds, name] : kernels) {
    text += fmt::format("{}{} {:.0f} %", text.empty() ? "" : ", ", name, 100 * seconds / total);
  }
  return text;
}

}  // namespace walsh
