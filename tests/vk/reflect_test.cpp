#include "vk/reflect.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "base/error.h"
#include "vk/kernel.h"

namespace walsh::vk {
namespace {

ModuleInterface reflect_module(const char* name) { return reflect(name, find_module(name).spirv); }

TEST(reflect, access_follows_readonly_and_writeonly) {
  const auto forward = reflect_module("rmsnorm_forward.floats");
  ASSERT_EQ(forward.bindings.size(), 6u);
  for (const std::size_t output : {0, 1, 5}) {
    EXPECT_FALSE(forward.bindings[output].reads);
    EXPECT_TRUE(forward.bindings[output].writes);
  }
  for (const std::size_t input : {2, 3, 4}) {
    EXPECT_TRUE(forward.bindings[input].reads);
    EXPECT_FALSE(forward.bindings[input].writes);
  }
  const auto accumulate = reflect_module("rmsnorm_backward_weight");
  EXPECT_TRUE(accumulate.bindings[0].reads && accumulate.bindings[0].writes);
}

TEST(reflect, push_constants_and_workgroup) {
  EXPECT_EQ(reflect_module("rmsnorm_forward.floats").push_bytes, 16u);
  EXPECT_EQ(reflect_module("adamw").push_bytes, 36u);
  EXPECT_EQ(reflect_module("batch_ring_advance").push_bytes, 0u);
  EXPECT_EQ(reflect_module("rmsnorm_forward.floats").local_size, (std::array<std::uint32_t, 3>{256, 1, 1}));
  EXPECT_EQ(reflect_module("rmsnorm_backward_weight").local_size[0], 64u);
}

TEST(reflect, kernels_that_fold_their_positions_are_known) {
  EXPECT_TRUE(reflect_module("adamw").counts_groups);
  EXPECT_TRUE(reflect_module("rmsnorm_forward.floats").counts_groups);
  EXPECT_FALSE(reflect_module("matmul_forward").counts_groups);
}

TEST(reflect, every_module_of_the_build_keeps_the_conventions) {
  ASSERT_FALSE(modules().empty());
  for (const Module& module : modules()) {
    const auto interface = reflect(module.name, module.spirv);
    EXPECT_FALSE(interface.bindings.empty()) << module.name;
    for (const Binding& binding : interface.bindings)
      EXPECT_TRUE(binding.reads || binding.writes) << module.name;
  }
}

// SPIR-V by hand, for what no kernel of the build does. Numbers are the specification's.
class Assembly {
 public:
  Assembly& op(std::uint32_t code, std::initializer_list<std::uint32_t> operands) {
    words_.push_back(static_cast<std::uint32_t>((operands.size() + 1) << 16) | code);
    words_.insert(words_.end(), operands);
    return *this;
  }
  Assembly& decorate(std::uint32_t id, std::uint32_t decoration, std::uint32_t value) {
    return op(71, {id, decoration, value});
  }
  Assembly& member_offset(std::uint32_t type, std::uint32_t member, std::uint32_t bytes) {
    return op(72, {type, member, 35, bytes});
  }
  /// A storage buffer as variable `id` with struct type id + 1 and pointer type id + 2.
  Assembly& buffer(std::uint32_t id, std::uint32_t binding) {
    return decorate(id, 33, binding)
        .op(30, {id + 1, 1})
        .op(32, {id + 2, 12, id + 1})
        .op(59, {id + 2, id, 12});
  }
  /// Push constants of struct type `type` as variable `id` with pointer type id + 1.
  Assembly& push(std::uint32_t id, std::uint32_t type) {
    return op(32, {id + 1, 9, type}).op(59, {id + 1, id, 9});
  }
  std::vector<std::uint32_t>& words() { return words_; }

 private:
  std::vector<std::uint32_t> words_{0x07230203u, 0x00010600u, 0, 1000, 0};
};

std::string refusal(Assembly& assembly) {
  try {
    reflect("hand", assembly.words());
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(reflect, specialization_constants_and_the_workgroup_they_set) {
  Assembly assembly;
  // Constants 0 and 2 as ids 10 and 11; gl_WorkGroupSize is the composite 20 of them and a plain 1.
  assembly.decorate(10, 1, 0).decorate(11, 1, 2).decorate(20, 11, 25);
  assembly.op(21, {1, 32, 0}).op(50, {1, 10, 64}).op(50, {1, 11, 4}).op(43, {1, 12, 1});
  assembly.op(51, {2, 20, 10, 11, 12}).buffer(30, 0);
  const auto interface = reflect("hand", assembly.words());
  EXPECT_EQ(interface.constant_ids, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(interface.local_size, (std::array<std::uint32_t, 3>{64, 4, 1}));
  EXPECT_EQ(interface.local_size_id, (std::array<std::int64_t, 3>{0, 2, -1}));
}

TEST(reflect, refuses_what_is_no_module) {
  Assembly none;
  none.words()[0] = 1;
  none.op(21, {1, 32, 0});
  EXPECT_EQ(refusal(none), "kernel hand: not a SPIR-V module");
  Assembly cut;
  cut.op(21, {1, 32, 0}).words().pop_back();
  EXPECT_EQ(refusal(cut), "kernel hand: its SPIR-V is cut short");
  Assembly stuck;
  stuck.words().push_back(0);
  EXPECT_EQ(refusal(stuck), "kernel hand: its SPIR-V is cut short");
  Assembly bare;
  bare.op(71, {}).op(21, {1, 32, 0});
  EXPECT_EQ(refusal(bare), "kernel hand: its SPIR-V is cut short");
}

TEST(reflect, refuses_a_gap_in_the_bindings) {
  Assembly assembly;
  assembly.buffer(30, 0).buffer(40, 2);
  EXPECT_EQ(refusal(assembly), "kernel hand: binding 1 is unused or missing");
}

TEST(reflect, arrays_of_push_constants) {
  Assembly assembly;
  assembly.member_offset(5, 0, 0).member_offset(5, 1, 4).op(71, {4, 6, 4}).op(21, {1, 32, 0});
  assembly.op(43, {1, 2, 3}).op(28, {4, 1, 2}).op(30, {5, 1, 4}).push(50, 5);
  EXPECT_EQ(reflect("hand", assembly.words()).push_bytes, 16u);
}

TEST(reflect, refuses_push_constants_that_could_drift) {
  Assembly vector;
  vector.member_offset(5, 0, 0).op(22, {1, 32}).op(23, {2, 1, 2}).op(30, {5, 2}).push(50, 5);
  EXPECT_EQ(refusal(vector),
            "kernel hand: push constants must be 4-byte scalars or arrays of them, not vectors");
  Assembly wide;
  wide.member_offset(5, 0, 0).op(21, {1, 64, 0}).op(30, {5, 1}).push(50, 5);
  EXPECT_EQ(refusal(wide), "kernel hand: a push constant of 8 bytes, expected 4-byte scalars");
  Assembly spread;  // uint[3], its elements 16 bytes apart
  spread.member_offset(5, 0, 0).op(71, {4, 6, 16}).op(21, {1, 32, 0}).op(43, {1, 2, 3});
  spread.op(28, {4, 1, 2}).op(30, {5, 4}).push(50, 5);
  EXPECT_EQ(refusal(spread),
            "kernel hand: an array among the push constants has elements 16 bytes apart, expected 4");
  Assembly large;
  large.member_offset(5, 0, 0).member_offset(5, 1, 128).op(21, {1, 32, 0}).op(30, {5, 1, 1}).push(50, 5);
  EXPECT_EQ(refusal(large), "kernel hand: 132 bytes of push constants, the guaranteed limit is 128");
}

}  // namespace
}  // namespace walsh::vk
