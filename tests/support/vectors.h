// Test vectors (tests/vectors/README.md): loading and comparing. A test of a file reads
//
//   TEST(vectors, packing) {
//     WALSH_NEEDS_VECTORS("packing");
//     walsh::test::VectorReport report;
//     for (const VectorCase& c : load_vectors("packing")) {
//       if (c.kind != "pack_stream") continue;
//       c.compare("words", words);   // words: any range; its element type picks equality or the tolerance
//       report.compared();
//     }
//   }
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <ranges>
#include <string>
#include <type_traits>
#include <vector>

#include "base/json.h"
#include "tests/support/paths.h"

namespace walsh::test {

inline std::filesystem::path vectors_file(const std::string& subject) {
  return vectors_dir() / (subject + ".json");
}

/// A tensor of a vector file, row-major. Doubles hold every value of the files exactly (u32 and i32 too).
struct VectorTensor {
  std::vector<std::size_t> shape;
  std::string dtype;  // f64, i32, u32, u8
  std::vector<double> data;

  template <typename T>
  std::vector<T> as() const {
    std::vector<T> values;
    values.reserve(data.size());
    for (const double value : data) values.push_back(static_cast<T>(value));
    return values;
  }
};

/// A tensor, or a plain number as a tensor of one element and no dimension.
inline VectorTensor to_tensor(const Json& json, const std::string& source) {
  if (json.is_number()) return {{}, json.is_number_integer() ? "i32" : "f64", {json.get<double>()}};
  VectorTensor tensor{json_at<std::vector<std::size_t>>(json, "shape", source),
                      json_at<std::string>(json, "dtype", source),
                      json_at<std::vector<double>>(json, "data", source)};
  std::size_t count = 1;
  for (const std::size_t extent : tensor.shape) count *= extent;
  require(count == tensor.data.size(), "{}: {} values do not fill the shape", source, tensor.data.size());
  return tensor;
}

struct VectorCase {
  std::string name;
  std::string kind;
  Json json;

  template <typename T>
  T param(const char* key) const {
    return json_at<T>(json.at("params"), key, name);
  }
  VectorTensor input(const std::string& key) const {
    return to_tensor(json.at("inputs").at(key), name + ": " + key);
  }
  VectorTensor expected(const std::string& key) const {
    return to_tensor(json.at("expected").at(key), name + ": " + key);
  }
  bool expects(const std::string& key) const { return json.at("expected").contains(key); }
  double tolerance(const char* arithmetic) const { return json.at("tolerance").at(arithmetic).get<double>(); }

  /// Integers must be equal. Floats and doubles lie within tolerance.fp32 or fp64 · max(1e-3, max|expected|).
  template <std::ranges::range Range>
  void compare(const std::string& key, const Range& got) const {
    compare(expected(key), key, got);
  }
  template <std::ranges::range Range>
  void compare(const VectorTensor& want, const std::string& key, const Range& got) const {
    using T = std::ranges::range_value_t<Range>;
    ASSERT_EQ(want.data.size(), static_cast<std::size_t>(std::ranges::distance(got))) << name << ": " << key;
    double bound = 0;
    if constexpr (std::is_floating_point_v<T>) {
      double largest = 1e-3;
      for (const double value : want.data) largest = std::max(largest, std::abs(value));
      bound = tolerance(std::is_same_v<T, double> ? "fp64" : "fp32") * largest;
    }
    std::size_t i = 0;
    for (const auto value : got) {
      const double difference = std::abs(static_cast<double>(value) - want.data[i]);
      ASSERT_TRUE(difference <= bound) << name << ": " << key << "[" << i << "] is " << value << ", expected "
                                       << want.data[i] << ", tolerance " << bound;
      ++i;
    }
  }
};

inline std::vector<VectorCase> load_vectors(const std::string& subject) {
  const Json file = read_json(vectors_file(subject));
  std::vector<VectorCase> cases;
  for (const Json& json : file.at("cases"))
    cases.push_back({json.at("name").get<std::string>(), json.at("kind").get<std::string>(), json});
  return cases;
}

/// Counts what was compared and prints it at the end of the test.
class VectorReport {
 public:
  VectorReport() = default;
  VectorReport(const VectorReport&) = delete;
  VectorReport& operator=(const VectorReport&) = delete;
  ~VectorReport() {
    std::printf("%d cases compared, %d on the device\n", compared_, on_device_);
    EXPECT_GT(compared_, 0) << "no case of a known kind";
  }
  void compared(bool on_device = false) {
    ++compared_;
    on_device_ += on_device;
  }

 private:
  int compared_ = 0;
  int on_device_ = 0;
};

}  // namespace walsh::test

/// Skips the test where the folder of vectors has no such file.
#define WALSH_NEEDS_VECTORS(subject) WALSH_NEEDS(walsh::test::vectors_file(subject))
