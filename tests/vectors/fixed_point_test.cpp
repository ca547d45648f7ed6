// Fixed-point bytes, rounding and the loss of small bf16 updates against fixed_point.json.
#include "quantize/fixed_point.h"
#include "base/half.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

void compare_fixed_point(const VectorCase& c) {
  const auto bits = c.param<std::uint32_t>("bits");
  const bool is_unsigned = c.param<bool>("unsigned");
  const auto phi = c.input(is_unsigned ? "w_over_s0_plus_zero" : "w_over_s0").as<double>();
  std::vector<int> stored;
  std::vector<double> back;
  for (const double value : phi) {
    stored.push_back(is_unsigned ? to_unsigned_fixed8(value, bits) : to_fixed8(value, bits));
    back.push_back(from_fixed8<double>(stored.back(), bits));
  }
  c.compare(is_unsigned ? "stored_uint8" : "stored_int8", stored);
  if (c.expects("Phi")) c.compare("Phi", back);
  if (c.expects("max_rounding_error"))
    c.compare("max_rounding_error", std::vector<double>{std::ldexp(1.0, static_cast<int>(bits) - 9)});
  for (std::size_t i = 0; i < phi.size(); ++i) {
    const double clipped = is_unsigned ? std::clamp<double>(phi[i], 0, code_steps(bits))
                                       : std::clamp<double>(phi[i], lowest_code(bits), highest_code(bits));
    EXPECT_LE(std::abs(back[i] - clipped), std::ldexp(1.0, static_cast<int>(bits) - 9)) << c.name;
  }
}

void compare_bf16_update(const VectorCase& c) {
  const auto step = c.param<float>("step");
  std::vector<double> before, after;
  std::vector<int> moves;
  for (const float s : c.input("s").as<float>()) {
    before.push_back(bf16_to_float(float_to_bf16(s)));
    after.push_back(bf16_to_float(float_to_bf16(static_cast<float>(before.back()) + step)));
    moves.push_back(before.back() != after.back());
  }
  c.compare("bf16_s", before);
  c.compare("bf16_after_step", after);
  c.compare("moves", moves);
}

}  // namespace

TEST(vectors, fixed_point) {
  WALSH_NEEDS_VECTORS("fixed_point");
  VectorReport report;
  for (const VectorCase& c : load_vectors("fixed_point")) {
    if (c.kind == "fixed_point") {
      compare_fixed_point(c);
    } else if (c.kind == "round") {
      std::vector<double> rounded;
      for (const double x : c.input("x").as<double>()) rounded.push_back(std::nearbyint(x));
      c.compare("round", rounded);
    } else if (c.kind == "bf16_update") {
      compare_bf16_update(c);
    } else {
      continue;
    }
    report.compared();
  }
}

}  // namespace walsh::test
