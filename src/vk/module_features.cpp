#include "vk/module_features.h"

#include "vk/modules.h"

namespace walsh::vk {
namespace {

constexpr std::uint32_t op_capability = 17;
constexpr std::size_t header_words = 5;

struct CapabilityRange {
  std::uint32_t first, last;
  bool Features::*feature;
};

// Numbers of the SPIR-V specification (3.31 Capability) and of its extensions' registry.
constexpr CapabilityRange capabilities[] = {
    {9, 9, &Features::fp16},             // Float16
    {11, 11, &Features::int64},          // Int64
    {61, 68, &Features::subgroups},      // GroupNonUniform ... GroupNonUniformQuad
    {4433, 4434, &Features::storage16},  // StorageBuffer16BitAccess, UniformAndStorageBuffer16BitAccess
    {4448, 4449, &Features::storage8},   // the same for 8 bits
    {5116, 5118, &Features::bf16},  // BFloat16TypeKHR, BFloat16DotProductKHR, BFloat16CooperativeMatrixKHR
    {5430, 5440, &Features::coopmat2},  // CooperativeMatrixReductionsNV ... TensorAddressingNV
    {6016, 6019, &Features::int_dot},   // DotProductInputAll ... DotProduct
    {6022, 6022, &Features::coopmat},   // CooperativeMatrixKHR
};

template <typename Combine>
Features combine(const Features& a, const Features& b, Combine&& combine_flags) {
  Features result;
  for (const auto& range : capabilities)
    result.*(range.feature) = combine_flags(a.*(range.feature), b.*(range.feature));
  return result;
}

bool within(const Features& asked, const Features& offered) {
  for (const auto& range : capabilities)
    if (asked.*(range.feature) && !(offered.*(range.feature))) return false;
  return true;
}

}  // namespace

Features features_of(std::span<const std::uint32_t> spirv) {
  Features features;
  for (std::size_t at = header_words; at < spirv.size();) {
    const std::uint32_t words = spirv[at] >> 16, op = spirv[at] & 0xffff;
    if (op != op_capability || words < 2 || at + 1 >= spirv.size()) break;  // capabilities come first
    for (const auto& range : capabilities)
      if (spirv[at + 1] >= range.first && spirv[at + 1] <= range.last) features.*(range.feature) = true;
    at += words;
  }
  return features;
}

Features features_used(const Features& offered) {
  Features used;
  for (const Module& module : modules()) {
    const Features asked = features_of(module.spirv);
    if (within(asked, offered)) used = combine(used, asked, [](bool a, bool b) { return a || b; });
  }
  return used;
}

}  // namespace walsh::vk
