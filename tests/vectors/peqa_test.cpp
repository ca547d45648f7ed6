// PEQA against its vectors (arXiv 2305.14152): y, dx and ds in double; ds on the device, by tiles and, where
// a channel is one group, from the output at scale 1. It does not depend on the scales, which need not be of
// 16 bits there.
#include <gtest/gtest.h>

#include "ops/matmul.h"
#include "ops/matmul_reference.h"
#include "ops/peqa.h"
#include "ops/peqa_reference.h"
#include "ops/quant_matmul.h"
#include "ops/transpose.h"
#include "tests/support/gpu.h"
#include "tests/support/vectors.h"

namespace walsh::test {
namespace {

// The codes and zeros at scale 1.
QuantizedTensor place(vk::Arena& arena, const VectorCase& c, std::uint32_t m, std::uint32_t n) {
  const auto bits = c.param<std::uint32_t>("bits"), group_size = c.param<std::uint32_t>("group_size");
  const QuantizedTensor w = reserve_quantized(arena, m, n, bits, group_size);
  arena.commit(device());
  QuantizedMatrix q{.rows = m, .columns = n, .bits = bits, .group_size = group_size, .codes = {}, .grid = {}};
  const auto codes = c.input("codes").as<std::uint32_t>(), zeros = c.input("zeros").as<std::uint32_t>();
  q.codes.assign(std::size_t{m} * words_per_row(n, bits), 0);
  for (std::uint32_t i = 0; i < m; ++i) {
    std::uint32_t* row = q.codes.data() + std::size_t{i} * words_per_row(n, bits);
    for (std::uint32_t j = 0; j < n; ++j) {
      const std::uint32_t bit = j * bits, code = codes[std::size_t{i} * n + j];
      row[bit / 32] |= code << bit % 32;
      if (bit % 32 + bits > 32) row[bit / 32 + 1] |= code >> (32 - bit % 32);
    }
  }
  for (const std::uint32_t zero : zeros) q.grid.push_back(grid_word(0x3c00, zero));
  upload(device(), w, q);
  return w;
}

TEST(vectors, peqa) {
  WALSH_NEEDS_VECTORS("peqa");
  VectorReport report;
  for (const VectorCase& c : load_vectors("peqa")) {
    const VectorTensor codes = c.input("codes"), zeros = c.input("zeros"), s = c.input("s");
    const VectorTensor x = c.input("x"), gy = c.input("gy");
    const std::size_t m = codes.shape.at(0), n = codes.shape.at(1), tokens = x.shape.at(0);
    const std::size_t groups = zeros.shape.at(1);
    const auto w = reference::peqa_weight(codes.data, zeros.data, s.data, m, n);
    std::vector<double> y, dx, dw, dbias, ds;
    reference::matmul_forward(y, x.data, w, {}, m, n);
    reference::matmul_backward(dx, dw, dbias, gy.data, x.data, w, m, n);
    reference::peqa_scale_gradient(ds, gy.data, x.data, codes.data, zeros.data, m, n);
    c.compare("y", y);
    c.compare("dx", dx);
    c.compare("ds", ds);

    vk::Arena arena("peqa vectors");
    const QuantizedTensor q = place(arena, c, static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(n));
    Tensors t;
    const Tensor tx = t.f32({tokens, n}, x.as<float>()), tgy = t.f32({tokens, m}, gy.as<float>());
    const Tensor gyt = t.empty({m, tokens}), g = t.empty({m, n}), u = t.empty({tokens, m});
    const Tensor by_tile = t.zeros({m, groups}), by_output = t.zeros({m, groups});
    run([&](vk::Recorder& rec) {
      transpose(rec, gyt, tgy);
      matmul_backward(rec, g, gyt, tx);
      peqa_scale_group(rec, by_tile, {}, g, q, 0);
      if (groups > 1) return;
      quant_matmul_forward(rec, u, tx, q);
      peqa_scale_channel(rec, by_output, tgy, u);
    });
    c.compare("ds", read(by_tile));
    if (groups == 1) c.compare("ds", read(by_output));
    report.compared(true);
  }
}

}  // namespace
}  // namespace walsh::test
