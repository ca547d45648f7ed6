#include "ops/sddmm_gathered.h"

#include <cmath>

#include "ops/sddmm_reference.h"
#include "tests/support/numbers.h"
#include "tests/support/sparse.h"
#include "vk/matrices.h"

namespace walsh {
namespace {

using test::cast;

struct Case {
  std::uint32_t rows, columns, most, tokens;
  bool shared = false;  // 16 rows have the columns of the one with the most
};

SparseMatrix support_of(const Case& c) {
  const SparseMatrix f = test::irregular_support(c.rows, c.columns, c.most, 5);
  if (!c.shared) return f;
  SparseMatrix shared{c.rows, c.columns, {0}, {}};
  for (std::uint32_t row = 0; row < c.rows; ++row) {
    const std::uint32_t widest =
        std::min(row / 16 * 16 + c.most, c.rows - 1);  // of the block, or the full row
    shared.columns_of.insert(shared.columns_of.end(), f.columns_of.begin() + f.row_ptr[widest],
                             f.columns_of.begin() + f.row_ptr[widest + 1]);
    shared.row_ptr.push_back(shared.nonzeros());
  }
  return shared;
}

// What the device gives, twice.
std::vector<float> computed(vk::Device& device, vk::Precision operands, const Case& c, const SparseMatrix& f,
                            const std::vector<float>& start) {
  vk::Arena arena("gathered");
  const SparseTensor support = reserve_sparse(arena, f.rows, f.columns, f.nonzeros());
  SparseBlocks blocks = reserve_blocks(arena, f.rows, f.nonzeros());
  arena.commit(device);
  upload(device, support, f);
  upload(device, blocks, f);
  TensorStore t(device);
  const Tensor dyt = t.f32({c.rows, c.tokens}, normal(std::size_t{c.rows} * c.tokens, 7)),
               xt = t.f32({c.columns, c.tokens}, normal(std::size_t{c.columns} * c.tokens, 6)),
               dvalues = t.f32({f.nonzeros()}, start), again = t.f32({f.nonzeros()}, start);
  vk::run_once(
      device,
      [&](Recorder& rec) {
        sddmm_gathered(rec, dvalues, dyt, xt, support, blocks, 1.7f);
        sddmm_gathered(rec, again, dyt, xt, support, blocks, 1.7f);
      },
      operands);
  EXPECT_EQ(t.read(dvalues), t.read(again)) << "same bits twice";
  return t.read(dvalues);
}

class SddmmGatheredShapes : public testing::TestWithParam<Case> {};

TEST_P(SddmmGatheredShapes, device_agrees_with_reference) {
  const Case c = GetParam();
  const SparseMatrix f = support_of(c);
  const auto start = normal(f.nonzeros(), 8), dyt = normal(std::size_t{c.rows} * c.tokens, 7),
             xt = normal(std::size_t{c.columns} * c.tokens, 6);
  auto expected = cast<double>(start);
  const double scale = 1.7f;
  reference::sddmm(expected, cast<double>(dyt), cast<double>(xt), f, scale);
  std::vector<double> products(f.nonzeros(), 0.0), ax, ady;
  for (const float value : xt) ax.push_back(std::abs(value));
  for (const float value : dyt) ady.push_back(std::abs(value));
  reference::sddmm(products, ady, ax, f, scale);
  auto magnitude = products;
  for (std::size_t l = 0; l < start.size(); ++l) magnitude[l] += std::abs(start[l]);

  test::expect_close(computed(test::device(), vk::Precision::fp32, c, f, start), expected, magnitude,
                     c.tokens, "as this device is used");
  vk::DeviceInfo info = test::device().info();
  info.tuning.lane_by_lane = false;
  vk::Device gpu(info);
  test::expect_close(computed(gpu, vk::Precision::fp32, c, f, start), expected, magnitude, c.tokens,
                     "as a GPU would be");
  if (!vk::matrix_shape(info, vk::Precision::fp16)) return;
  // Both operands of every product are rounded to 11 bits.
  const auto got = computed(gpu, vk::Precision::fp16, c, f, start);
  for (std::size_t l = 0; l < got.size(); ++l)
    EXPECT_NEAR(got[l], expected[l], 2 * 0x1p-11 * products[l] + 4e-6 * magnitude[l]) << "matrices, " << l;
}

// One token; a block that is not full; more columns than a tile; several slabs of tokens with a tail; rows
// that share their columns.
INSTANTIATE_TEST_SUITE_P(shapes, SddmmGatheredShapes,
                         testing::Values(Case{1, 1, 1, 1}, Case{3, 5, 2, 1}, Case{17, 64, 9, 70},
                                         Case{40, 133, 20, 257}, Case{48, 300, 15, 64, true},
                                         Case{33, 97, 12, 131, true}));

TEST(sddmm_gathered, blocks_hold_the_columns_of_their_rows) {
  SparseMatrix f{20, 9, {0}, {}};  // rows 2 and 5 of the first block, 17 of the second
  for (std::uint32_t row = 0; row < f.rows; ++row) {
    if (row == 2) f.columns_of.insert(f.columns_of.end(), {1, 4, 8});
    if (row == 5) f.columns_of.insert(f.columns_of.end(), {0, 4});
    if (row == 17) f.columns_of.push_back(3);
    f.row_ptr.push_back(f.nonzeros());
  }
  vk::Arena arena("blocks");
  SparseBlocks blocks = reserve_blocks(arena, f.rows, f.nonzeros());
  arena.commit(test::device());
  upload(test::device(), blocks, f);
  EXPECT_EQ(blocks.widest, 4u);
  EXPECT_EQ(test::device().download<std::uint32_t>(blocks.block_ptr), (std::vector<std::uint32_t>{0, 4, 5}));
  auto columns = test::device().download<std::uint16_t>(blocks.union_of);
  columns.resize(5);
  EXPECT_EQ(columns, (std::vector<std::uint16_t>{0, 1, 4, 8, 3}));
}

TEST(sddmm_gathered, refuses_blocks_that_are_not_there) {
  test::Tensors t;
  const SparseMatrix f{2, 4, {0, 0, 2}, {1, 3}};
  const test::DeviceSupport support(f);
  vk::Recorder rec(test::device());
  EXPECT_THROW(sddmm_gathered(rec, t.empty({2}), t.empty({2, 5}), t.empty({4, 5}), support, {}, 1), Error);
}

}  // namespace
}  // namespace walsh
