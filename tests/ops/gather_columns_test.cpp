#include "ops/gather_columns.h"

#include <algorithm>
#include <numeric>

#include "base/philox.h"
#include "ops/gather_columns_reference.h"
#include "tests/support/gpu.h"

namespace walsh {
namespace {

std::vector<std::uint32_t> shuffled(std::uint32_t n) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  Philox random(3);
  for (std::uint32_t i = 0; i + 1 < n; ++i) std::swap(order[i], order[i + random.below(n - i)]);
  return order;
}

TEST(gather_columns, device_agrees_with_reference_and_its_inverse_undoes_it) {
  for (const auto& [rows, columns] : {std::pair{1u, 1u}, std::pair{3u, 40u}, std::pair{37u, 95u}}) {
    const auto x = normal(std::size_t{rows} * columns, 1);
    const auto order = shuffled(columns);
    std::vector<std::uint32_t> inverse(columns);
    for (std::uint32_t j = 0; j < columns; ++j) inverse[order[j]] = j;
    test::Tensors t;
    const Tensor tx = t.f32({rows, columns}, x), y = t.empty({rows, columns}),
                 back = t.empty({rows, columns});
    const Tensor torder = t.u32({columns}, order), tinverse = t.u32({columns}, inverse);
    test::run([&](Recorder& rec) {
      gather_columns(rec, y, tx, torder);
      gather_columns(rec, back, y, tinverse);
      gather_columns(rec, back, y, tinverse, true);
    });
    EXPECT_EQ(test::read(y), reference::gather_columns(x, order));
    std::vector<float> twice;
    for (const float value : x) twice.push_back(value + value);
    EXPECT_EQ(test::read(back), twice);
  }
}

TEST(gather_columns, refuses_a_wrong_shape) {
  test::Tensors t;
  const Tensor x = t.empty({2, 8}), y = t.empty({2, 4}), order = t.u32({8}, shuffled(8));
  vk::Recorder rec(test::device());
  EXPECT_THROW(gather_columns(rec, y, x, order), Error);
  EXPECT_THROW(gather_columns(rec, x, x, t.u32({4}, shuffled(4))), Error);
}

}  // namespace
}  // namespace walsh
