#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ops/hadamard.h"
#include "tests/support/gpu.h"
#include "tests/support/sha256.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

/// x[i] = ((3i² + 7i + 5) mod 17) − 8, as the file says.
std::vector<float> sequence_input(std::uint32_t n) {
  std::vector<float> x(n);
  for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<float>((3 * i * i + 7 * i + 5) % 17 - 8);
  return x;
}

std::string hash_of(const std::vector<float>& integers) {
  std::string bytes;
  for (const float value : integers)
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>(static_cast<std::uint32_t>(static_cast<std::int32_t>(value)) >> shift);
  return sha256(bytes);
}

// All results are integers below 2^24: the device must give them exactly.
TEST(vectors, fwht_device) {
  WALSH_NEEDS_VECTORS("fwht");
  VectorReport report;
  for (const VectorCase& c : load_vectors("fwht")) {
    const auto n = c.param<std::uint32_t>("n");
    vk::Arena arena("fwht vectors");
    HadamardTransform h(arena, n);
    arena.commit(device());
    h.upload(device());
    const bool whole = c.kind == "fwht";
    Tensors t;
    const Tensor x = t.f32({1, n}, whole ? c.input("x").as<float>() : sequence_input(n));
    for (const bool transposed : {false, true}) {
      const Tensor y = t.empty({1, n});
      run([&](Recorder& rec) { hadamard(rec, y, x, h, transposed, 1); });
      const std::vector<float> got = read(y);
      const std::string key = transposed ? "x_Ht" : "x_H";
      if (whole) {
        c.compare(key, got);
        continue;
      }
      c.compare(key + "_first", std::vector(got.begin(), got.begin() + 8));
      c.compare(key + "_last", std::vector(got.end() - 8, got.end()));
      EXPECT_EQ(hash_of(got), c.json.at("expected").at("sha256_" + key + "_int32_le")) << c.name;
    }
    report.compared(true);
  }
}

}  // namespace
}  // namespace walsh::test
