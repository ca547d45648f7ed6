#include "train/precision.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/gpu.h"
#include "tests/support/scratch.h"
#include "tests/support/setting.h"
#include "vk/matrices.h"
#include "vk/tuned.h"

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

// The answer is kept, so one that no driver here gives can be put in its place.
TEST(precision, automatic_follows_what_the_trial_found) {
  const test::ScratchFolder scratch;
  const test::Setting cache("XDG_CACHE_HOME", (scratch / "cache").string());
  vk::DeviceInfo info;
  info.type = vk::DeviceType::discrete;
  info.name = "a GPU";
  info.features.coopmat = info.features.subgroups = info.features.fp16 = true;
  info.matrices.fp16 = {16, 16, 16};
  if (!vk::matrix_shape(info, vk::Precision::fp16))
    GTEST_SKIP() << vk::why_no_matrices(info, vk::Precision::fp16);
  const std::string question = "products of integers in fp16 are exact";
  vk::remember(info, question, "no");
  EXPECT_EQ(choose_precision(info, "auto").operands, vk::Precision::fp32);
  EXPECT_EQ(
      choose_precision(info, "auto").note,
      "precision: products of fp16 matrices are wrong on this device, runs in fp32; walsh doctor says more");
  vk::remember(info, question, "yes");
  EXPECT_EQ(choose_precision(info, "auto").operands, vk::Precision::fp16);
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
