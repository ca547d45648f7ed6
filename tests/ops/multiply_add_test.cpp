#include "ops/multiply_add.h"

#include <gtest/gtest.h>

#include "ops/multiply_add_reference.h"
#include "tests/support/gpu.h"
#include "tests/support/numbers.h"

namespace walsh {
namespace {

using test::run;

TEST(multiply_add, agrees_with_its_reference) {
  for (const std::uint64_t elements : {1u, 255u, 1000u}) {
    for (const std::uint32_t rounds : {0u, 1u, 3u}) {
      test::Tensors tensors;
      const Tensor y = tensors.empty({elements});
      run([&](Recorder& rec) { multiply_add(rec, y, rounds, -0.75f); });
      std::vector<double> expected, magnitude;
      reference::multiply_add<double>(expected, elements, rounds, -0.75);
      reference::multiply_add<double>(magnitude, elements, rounds, 0.75);
      test::expect_close(test::read(y), expected, magnitude, 32.0 * rounds + 8, "y");
    }
  }
}

}  // namespace
}  // namespace walsh
