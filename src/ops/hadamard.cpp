#include "ops/hadamard.h"

#include <algorithm>
#include <bit>

#include "ops/texels.h"
#include "shaders/hadamard.h"

namespace walsh {
namespace {

constexpr std::uint32_t shared_words = 8192;     // 32 KiB, the least that a device has
constexpr std::uint32_t tile_target = 4096;      // elements of rows that share a workgroup
constexpr std::uint32_t most_rows_at_once = 16;  // shaders/lib/hadamard.glsl
constexpr std::uint32_t most_chunk_bits = 7;   // of an invocation of hadamard_chunks_texels, to compile fast
constexpr std::uint32_t most_stride_bits = 6;  // of one of hadamard_strides_texels
constexpr std::uint32_t largest_held = 40;     // order of a base that hadamard_base_texels holds, likewise

/// H_order of Sylvester's construction as a base: entry (−1)^popcount(i & j).
HadamardBase sylvester(std::uint32_t order) {
  HadamardBase base{order, std::vector<std::uint32_t>(std::size_t{order} * ((order + 31) / 32), 0)};
  for (std::uint32_t i = 0; i < order; ++i)
    for (std::uint32_t j = 0; j < order; ++j)
      if (std::popcount(i & j) % 2 == 1) base.signs[i * base.words_per_row() + j / 32] |= 1u << (j % 32);
  return base;
}

}  // namespace

HadamardTransform::Factor HadamardTransform::add_factor(const HadamardBase& base, std::uint32_t inner) {
  const std::uint32_t blocks = ceil_div(base.order, most_rows_at_once);
  Factor factor{base.order, inner, ceil_div(base.order, blocks), {}};
  for (const bool transposed : {false, true}) {
    factor.signs[transposed] = static_cast<std::uint32_t>(words_.size());
    for (std::uint32_t block = 0; block < blocks; ++block)
      for (std::uint32_t j = 0; j < base.order; ++j) {
        std::uint32_t word = 0;
        for (std::uint32_t r = 0; r < factor.rows_at_once; ++r) {
          const std::uint32_t k = block * factor.rows_at_once + r;
          if (k < base.order && (transposed ? base.negative(j, k) : base.negative(k, j))) word |= 1u << r;
        }
        words_.push_back(word);
        if (j + 1 == base.order) words_.resize((words_.size() + 3) / 4 * 4);
      }
  }
  return factor;
}

HadamardTransform::HadamardTransform(vk::Arena& arena, std::uint32_t n)
    : layout_(require_hadamard_layout(n)) {
  const std::uint32_t butterflies = std::min(layout_.m2, shared_words);
  bits_ = static_cast<std::uint32_t>(std::countr_zero(butterflies));
  chunk_bits_ = std::min(static_cast<std::uint32_t>(std::countr_zero(layout_.m2)), most_chunk_bits);
  const auto all_bits = static_cast<std::uint32_t>(std::countr_zero(layout_.m2));
  for (std::uint32_t done = chunk_bits_; done < all_bits; done += strides_.back().bits) {
    const std::uint32_t left = all_bits - done;
    strides_.push_back({ceil_div(left, ceil_div(left, most_stride_bits)), 1u << done});
  }
  std::uint32_t inner = butterflies;
  if (layout_.m2 > butterflies) {
    outer_.push_back(add_factor(sylvester(layout_.m2 / butterflies), inner));
    inner = layout_.m2;
  }
  for (auto order = layout_.bases.rbegin(); order != layout_.bases.rend(); ++order) {
    const Factor factor = add_factor(hadamard_base(*order), inner);
    passes_.push_back(factor);
    if (outer_.empty() && first_.order == 1 && inner * *order <= shared_words)
      first_ = factor;
    else
      outer_.push_back(factor);
    inner *= *order;
  }
  if (words_.empty()) words_.push_back(0);  // a binding has memory even where no base is read
  table_ = reserve(arena, DType::u32, {words_.size()});
}

void HadamardTransform::upload(vk::Device& device) const { device.upload(table_, words_); }

bool HadamardTransform::by_texels(Recorder& rec, const Tensor& y, const Tensor& x) const {
  return chunk_bits_ >= 2 && prefers_texels(rec.device().info(), {y, x}) &&
         std::ranges::all_of(passes_, [](const Factor& f) { return f.order <= largest_held; });
}

void HadamardTransform::record_texels(Recorder& rec, const Tensor& y, const Tensor& x, bool transposed,
                                      float scale, bool accumulate) const {
  const auto elements = static_cast<std::uint32_t>(x.shape.elements());
  // All passes but the last of an accumulation work in x, which is then spent; otherwise in y.
  const Tensor& between = accumulate ? x : y;
  std::size_t left = 1 + strides_.size() + passes_.size();
  // One pass over the view [rows, order, inner].
  const auto arguments = [&](std::uint32_t order, std::uint32_t inner, std::uint32_t signs) {
    const bool last = --left == 0;
    return HadamardArgs{elements / (order * inner), inner, signs, accumulate && last, last ? scale : 1, 0};
  };
  const auto target = [&]() -> const Tensor& { return left == 0 ? y : between; };
  HadamardArgs args = arguments(1u << chunk_bits_, 1, 0);
  rec.dispatch("hadamard_chunks_texels", {target(), x, target()}, args, groups_for_elements(args.rows, 64),
               {chunk_bits_, args.accumulate});
  const auto groups = [&] { return groups_for_elements(std::uint64_t{args.rows} * args.inner / 4, 64); };
  for (const Stride& stride : strides_) {
    args = arguments(1u << stride.bits, stride.inner, 0);
    rec.dispatch("hadamard_strides_texels", {target(), between, target()}, args, groups(),
                 {stride.bits, args.accumulate});
  }
  for (const Factor& factor : passes_) {
    args = arguments(factor.order, factor.inner, factor.signs[transposed]);
    rec.dispatch("hadamard_base_texels", {target(), between, target(), table_}, args, groups(),
                 {factor.order, factor.rows_at_once, args.accumulate});
  }
}

HadamardTransform::Rows HadamardTransform::rows() const {
  const std::uint32_t width = first_.order << bits_;
  const bool padded = width + width / 32 <= shared_words;
  const std::uint32_t at_once = std::max(1u, tile_target / width), words = at_once * width;
  return {width, at_once, padded ? words + words / 32 + 1 : words, padded};
}

void hadamard(Recorder& rec, const Tensor& y, const Tensor& x, const HadamardTransform& h, bool transposed,
              float scale, bool accumulate) {
  expect("hadamard", "x", x, DType::f32, {x.shape.rows(), h.layout().n});
  expect("hadamard", "y", y, DType::f32, x.shape);
  require(!accumulate || y.memory.block != x.memory.block || y.memory.offset != x.memory.offset,
          "hadamard: y and x are the same tensor, accumulation needs two");
  const std::uint32_t elements = count32("hadamard", x.shape.elements());

  if (h.by_texels(rec, y, x)) {
    h.record_texels(rec, y, x, transposed, scale, accumulate);
    return;
  }
  const HadamardTransform::Factor& base = h.first_;
  const auto [width, rows, tile, padded] = h.rows();
  const bool one_pass = h.outer_.empty();
  const Tensor& first_y = accumulate && !one_pass ? x : y;
  HadamardArgs args{elements / width,     1, base.signs[transposed], accumulate && one_pass,
                    one_pass ? scale : 1, 0};
  rec.dispatch("hadamard_rows", {first_y, x, h.table_}, args, groups_for_rows(ceil_div(args.rows, rows)),
               {base.order, h.bits_, rows, base.rows_at_once, padded, tile});

  for (const HadamardTransform::Factor& factor : h.outer_) {
    const bool last = &factor == &h.outer_.back();
    const std::uint32_t columns = factor.order * 32 <= shared_words ? 32 : 8;
    args = {elements / (factor.order * factor.inner),
            factor.inner,
            factor.signs[transposed],
            accumulate && last,
            last ? scale : 1,
            0};
    rec.dispatch("hadamard_base", {last ? y : first_y, first_y, h.table_}, args,
                 groups_for_rows(std::uint64_t{args.rows} * ceil_div(factor.inner, columns)),
                 {factor.order, columns, factor.rows_at_once, factor.order * columns});
  }
}

void hadamard(Recorder& rec, const Tensor& y, const Norm& norm, const HadamardTransform& h, float scale) {
  const auto [width, rows, tile, padded] = h.rows();
  // The tile serves the norm's sums before the transform needs it, and every row's factor lies beside it.
  const bool together =
      h.outer_.empty() && !h.by_texels(rec, y, norm.x) && tile >= 256 && tile + rows <= shared_words;
  if (!together) {
    rmsnorm_forward(rec, norm);
    hadamard(rec, y, norm.y, h, false, scale);
    return;
  }
  const Shape shape{norm.x.shape.rows(), width};
  const bool add = static_cast<bool>(norm.addend);
  expect("hadamard", "x", norm.x, DType::f32, shape);
  expect("hadamard", "y", y, DType::f32, shape);
  expect("hadamard", "normed", norm.y, DType::f32, shape);
  expect("hadamard", "rstd", norm.rstd, DType::f32, {shape[0]});
  expect("hadamard", "weight", norm.weight, DType::f32, {width});
  if (add) {
    expect("hadamard", "addend", norm.addend, DType::f32, shape);
    expect("hadamard", "sum", norm.sum, DType::f32, shape);
  }
  const HadamardTransform::Factor& base = h.first_;
  const HadamardArgs args{
      count32("hadamard", shape.elements()) / width, 1, base.signs[false], false, scale, norm.epsilon};
  rec.dispatch("hadamard_rows_normed",
               {y, norm.x, h.table_, norm.y, norm.rstd, norm.weight, add ? norm.addend : norm.x,
                add ? norm.sum : norm.y},
               args, groups_for_rows(ceil_div(args.rows, rows)),
               {base.order, h.bits_, rows, base.rows_at_once, padded, tile, add});
}

}  // namespace walsh
