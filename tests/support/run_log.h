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

/// The values of `keys` in every step of a run's metrics.jsonl, in the digits that stand there. Of a run that
/// is `running` the last line may be half written, and is left out then.
inline std::vector<std::string> logged_steps(const std::filesystem::path& run,
                                             std::initializer_list<const char*> keys, bool running = false) {
  std::vector<std::string> steps;
  std::stringstream lines(read_text(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (running && lines.eof() && json.is_discarded()) break;
    EXPECT_TRUE(json.is_object()) << line;
    if (!json.contains("loss")) continue;
    std::string values;
    for (const char* key : keys) values += json.at(key).dump() + ' ';
    values.pop_back();
    steps.push_back(values);
  }
  return steps;
}

}  // namespace walsh::test
