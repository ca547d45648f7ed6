#include "train/precision.h"

#include "base/error.h"
#include "vk/matrices.h"

namespace walsh {

ChosenPrecision choose_precision(const vk::DeviceInfo& device, const std::string& option) {
  require(option == "auto" || option == "fp32" || option == "fp16" || option == "bf16",
          "precision: found \"{}\", expected one of: auto, fp32, fp16, bf16", option);
  if (option == "auto" || option == "fp32") return {};
  const vk::Precision asked = option == "fp16" ? vk::Precision::fp16 : vk::Precision::bf16;
  if (vk::matrix_shape(device, asked)) return {asked, {}};
  return {vk::Precision::fp32, fmt::format("precision: {} was asked for, runs in fp32: {}", option,
                                           vk::why_no_matrices(device, asked))};
}

}  // namespace walsh
