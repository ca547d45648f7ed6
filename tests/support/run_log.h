// What a run wrote of its steps.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace walsh::test {

/// The values of `keys` in every step of a run's metrics.jsonl, in the digits that stand there. A last line
/// that was cut short is left out.
inline std::vector<std::string> logged_steps(const std::filesystem::path& run,
                                             std::initializer_list<const char*> keys) {
  std::vector<std::string> steps;
  std::stringstream lines(read_text(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded()) {
      EXPECT_TRUE(lines.eof()) << "no JSON: " << line;
      break;
    }
    if (!json.contains("loss")) continue;
    std::string values;
    for (const char* key : keys) values += json.at(key).dump() + ' ';
    values.pop_back();
    steps.push_back(values);
  }
  return steps;
}

}  // namespace walsh::test
