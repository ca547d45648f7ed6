#include "train/precision.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/gpu.h"
#include "vk/matrices.h"

namespace walsh {
namespace {

TEST(precision, runs_in_fp32_and_says_so_where_there_are_no_such_matrices) {
  const vk::DeviceInfo plain;
  for (const char* option : {"auto", "fp32"}) {
    const ChosenPrecision chosen = choose_precision(plain, option);
    EXPECT_EQ(chosen.operands, vk::Precision::fp32);
    EXPECT_EQ(chosen.note, "");
  }
  const ChosenPrecision chosen = choose_precision(plain, "bf16");
  EXPECT_EQ(chosen.operands, vk::Precision::fp32);
  EXPECT_EQ(chosen.note,
            "precision: bf16 was asked for, runs in fp32: the device has no cooperative matrices");
}

TEST(precision, is_what_was_asked_for_where_the_device_has_it) {
  vk::DeviceInfo info;
  info.features.coopmat = info.features.subgroups = info.features.fp16 = true;
  info.matrices.fp16 = {8, 8, 8};
  const ChosenPrecision chosen = choose_precision(info, "fp16");
  if (!vk::matrix_shape(info, vk::Precision::fp16))
    GTEST_SKIP() << vk::why_no_matrices(info, vk::Precision::fp16);
  EXPECT_EQ(chosen.operands, vk::Precision::fp16);
  EXPECT_EQ(chosen.note, "");
}

TEST(precision, automatic_is_the_widest_range_that_a_gpu_multiplies) {
  vk::DeviceInfo info;
  info.type = vk::DeviceType::discrete;
  EXPECT_EQ(automatic_precision(info), vk::Precision::fp32);
  info.features.coopmat = info.features.subgroups = info.features.fp16 = true;
  info.matrices.fp16 = {16, 16, 16};
  if (!vk::matrix_shape(info, vk::Precision::fp16))
    GTEST_SKIP() << vk::why_no_matrices(info, vk::Precision::fp16);
  EXPECT_EQ(automatic_precision(info), vk::Precision::fp16);
  info.features.bf16 = true;
  info.matrices.bf16 = {16, 16, 16};
  const bool built = static_cast<bool>(vk::matrix_shape(info, vk::Precision::bf16));
  EXPECT_EQ(automatic_precision(info), built ? vk::Precision::bf16 : vk::Precision::fp16);
  info.type = vk::DeviceType::cpu;
  EXPECT_EQ(automatic_precision(info), vk::Precision::fp32);
}

TEST(precision, products_of_integers_are_exact_on_every_unit) {
  const vk::DeviceInfo& info = test::device().info();
  EXPECT_TRUE(multiplies_exactly(info, vk::Precision::fp32));
  std::size_t tried = 0;
  for (const vk::Precision operands : {vk::Precision::fp16, vk::Precision::bf16}) {
    if (!vk::matrix_shape(info, operands)) continue;
    EXPECT_TRUE(multiplies_exactly(info, operands)) << vk::name_of(operands);
    ++tried;
  }
  if (tried == 0) GTEST_SKIP() << vk::why_no_matrices(info, vk::Precision::fp16);
}

TEST(precision, refuses_another_word) {
  try {
    choose_precision({}, "fp8");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "precision: found \"fp8\", expected one of: auto, fp32, fp16, bf16");
  }
}

}  // namespace
}  // namespace walsh
