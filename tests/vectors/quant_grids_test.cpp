// The grids of every group and their codes against quant_grids.json, in double and in float.
#include "quantize/grid.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

/// f(group, k) for every group of a case's W [m, n], in the order of [m, n/g] tensors.
template <typename T, typename F>
void for_each_group(const VectorCase& c, F f) {
  const auto w = c.input("W").as<T>();
  const auto group_size = c.param<std::size_t>("group_size");
  for (std::size_t k = 0; k < w.size() / group_size; ++k) f(std::span(w).subspan(k * group_size, group_size));
}

template <typename T>
void compare_asymmetric(const VectorCase& c, std::uint32_t bits) {
  std::vector<T> scales;
  std::vector<int> zeros, codes;
  for_each_group<T>(c, [&](std::span<const T> w) {
    const auto grid = asymmetric_grid(w, bits);
    scales.push_back(grid.scale);
    zeros.push_back(grid.zero);
    for (const T value : w) codes.push_back(asymmetric_code(value, grid.scale, grid.zero, bits));
  });
  c.compare("rtn_asym_scales", scales);
  c.compare("rtn_asym_zeros", zeros);
  c.compare("rtn_asym_codes", codes);
}

template <typename T>
void compare_symmetric(const VectorCase& c, std::uint32_t bits, const std::string& scale,
                       const std::string& code) {
  std::vector<T> scales;
  std::vector<int> codes;
  for_each_group<T>(c, [&](std::span<const T> w) {
    scales.push_back(symmetric_scale(w, bits));
    for (const T value : w) codes.push_back(symmetric_code(value, scales.back(), bits));
  });
  c.compare(scale, scales);
  c.compare(code, codes);
}

template <typename T>
void compare_shrink(const VectorCase& c, std::uint32_t bits, T norm, const std::string& prefix) {
  std::vector<T> scales, errors;
  std::vector<int> zeros, steps, codes;
  for_each_group<T>(c, [&](std::span<const T> w) {
    const auto grid = shrink_grid(w, bits, norm);
    scales.push_back(grid.scale);
    zeros.push_back(grid.zero);
    steps.push_back(grid.step);
    errors.push_back(grid.error);
    for (const T value : w) codes.push_back(asymmetric_code(value, grid.scale, grid.zero, bits));
  });
  c.compare(prefix + "scales", scales);
  c.compare(prefix + "zeros", zeros);
  c.compare(prefix + "step", steps);
  c.compare(prefix + "codes", codes);
  if (c.expects(prefix + "error")) c.compare(prefix + "error", errors);
}

template <typename T>
void compare_lp(const VectorCase& c, std::uint32_t bits, T p, const std::string& prefix) {
  std::vector<T> scales, errors;
  std::vector<int> candidates, codes;
  for_each_group<T>(c, [&](std::span<const T> w) {
    const auto grid = lp_grid(w, bits, p);
    scales.push_back(grid.scale);
    candidates.push_back(grid.candidate);
    errors.push_back(grid.error);
    for (const T value : w) codes.push_back(symmetric_code(value, grid.scale, bits));
  });
  c.compare(prefix + "scales", scales);
  c.compare(prefix + "candidate", candidates);
  if (c.expects(prefix + "codes")) c.compare(prefix + "codes", codes);
  if (c.expects(prefix + "error")) c.compare(prefix + "error", errors);
}

/// Keys are <prefix><name>_scale, _offset and _codes; a random case holds some of them.
template <typename T>
void compare_starts(const VectorCase& c, std::uint32_t bits, const std::string& prefix) {
  const std::pair<const char*, AffineStart> starts[] = {{"l4q", AffineStart::l4q},
                                                        {"lsqplus", AffineStart::lsq_plus},
                                                        {"symm", AffineStart::symmetric},
                                                        {"asymm", AffineStart::asymmetric}};
  for (const auto& [name, start] : starts) {
    std::vector<T> scales, offsets;
    std::vector<int> codes;
    for_each_group<T>(c, [&, start = start](std::span<const T> w) {
      const auto grid = affine_start(w, bits, start);
      scales.push_back(grid.scale);
      offsets.push_back(grid.offset);
      for (const T value : w) codes.push_back(affine_code(value, grid.scale, grid.offset, bits));
    });
    c.compare(prefix + name + "_scale", scales);
    if (c.expects(prefix + name + "_offset")) c.compare(prefix + name + "_offset", offsets);
    if (c.expects(prefix + name + "_codes")) c.compare(prefix + name + "_codes", codes);
  }
}

template <typename T>
bool compare_case(const VectorCase& c) {
  const auto bits = c.param<std::uint32_t>("bits");
  if (c.kind == "lp_grid") {
    compare_lp<T>(c, bits, c.param<T>("p"), "");
  } else if (c.kind == "shrink_grid") {
    compare_shrink<T>(c, bits, c.param<T>("norm"), "");
  } else if (c.kind == "l4q_init") {
    compare_starts<T>(c, bits, "");
    compare_symmetric<T>(c, bits, "minmax_scale", "minmax_codes");
  } else if (c.kind == "quant_grid") {
    compare_asymmetric<T>(c, bits);
    if (!c.expects("rtn_sym_scales")) return true;  // the all-zero group
    compare_symmetric<T>(c, bits, "rtn_sym_scales", "rtn_sym_codes");
    compare_shrink<T>(c, bits, T{2}, "shrink_n2_");
    compare_shrink<T>(c, bits, static_cast<T>(2.4), "shrink_n2.4_");
    compare_lp<T>(c, bits, T{2}, "lp_p2_");
    compare_lp<T>(c, bits, static_cast<T>(2.4), "lp_p2.4_");
    compare_lp<T>(c, bits, T{4}, "lp_p4_");
    compare_starts<T>(c, bits, "init_");
  } else {
    return false;
  }
  return true;
}

}  // namespace

TEST(vectors, quant_grids) {
  WALSH_NEEDS_VECTORS("quant_grids");
  VectorReport report;
  for (const VectorCase& c : load_vectors("quant_grids")) {
    if (!compare_case<double>(c)) continue;
    // Hand cases may hold exact ties, which are ties in double only.
    if (c.name.find("hand") == std::string::npos) compare_case<float>(c);
    report.compared();
  }
}

}  // namespace walsh::test
