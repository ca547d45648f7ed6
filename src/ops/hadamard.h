// The Hadamard transform of rows on the device, fp32 inside (src/ops/hadamard_layout.h says what H_r is):
//   y[r,:] = scale · x[r,:] · H_r      or · H_rᵀ
// Butterflies along m2 and the innermost base in one pass over memory where a row fits shared memory (up to
// 8192 elements); every further base, and what a power of two has beyond 8192, takes one more pass.
#pragma once

#include <array>
#include <vector>

#include "ops/hadamard_layout.h"
#include "ops/rmsnorm.h"

namespace walsh {

/// The construction for one width, with the signs of its bases on the device.
class HadamardTransform {
 public:
  /// Reserves the table of signs; refuses a width that no construction covers.
  HadamardTransform(vk::Arena& arena, std::uint32_t n);

  /// Fills the table; after the arena's commit.
  void upload(vk::Device& device) const;

  const HadamardLayout& layout() const { return layout_; }

 private:
  friend void hadamard(Recorder&, const Tensor&, const Tensor&, const HadamardTransform&, bool, float, bool);
  friend void hadamard(Recorder&, const Tensor&, const Norm&, const HadamardTransform&, float);

  /// How hadamard_rows cuts its work.
  struct Rows {
    std::uint32_t width, at_once, tile;  // of a row; rows of a workgroup; words of shared memory
    bool padded;
  };
  Rows rows() const;

  /// A base (or the Sylvester matrix of a power of two) along one axis.
  struct Factor {
    std::uint32_t order = 1;
    std::uint32_t inner = 1;               // elements between neighbours on its axis
    std::uint32_t rows_at_once = 1;        // results of a column that an invocation computes together
    std::array<std::uint32_t, 2> signs{};  // first word in the table: had, hadᵀ
  };
  /// 2^bits values that stand `inner` apart.
  struct Stride {
    std::uint32_t bits, inner;
  };
  Factor add_factor(const HadamardBase& base, std::uint32_t inner);
  bool by_texels(Recorder& rec, const Tensor& y, const Tensor& x) const;
  void record_texels(Recorder& rec, const Tensor& y, const Tensor& x, bool transposed, float scale,
                     bool accumulate) const;

  HadamardLayout layout_;
  std::uint32_t bits_ = 0;     // log2 of the butterflies that the first pass does
  Factor first_;               // its base; order 1: none
  std::vector<Factor> outer_;  // one pass each, innermost first
  // The same as passes of texel kernels: chunks of 2^chunk_bits_, the rest of m2, then a pass a base.
  std::uint32_t chunk_bits_ = 0;
  std::vector<Stride> strides_;
  std::vector<Factor> passes_;
  std::vector<std::uint32_t> words_;
  Tensor table_;
};

/// y, x: f32 [R, n]. y may be x. accumulate: y += ..., then y is not x, and x is spent: a row that takes
/// several passes is transformed in it.
void hadamard(Recorder& rec, const Tensor& y, const Tensor& x, const HadamardTransform& h, bool transposed,
              float scale, bool accumulate = false);

/// y = scale · norm(x) · H_r and what rmsnorm_forward leaves, in one pass over memory where a row fits shared
/// memory.
void hadamard(Recorder& rec, const Tensor& y, const Norm& norm, const HadamardTransform& h, float scale);

}  // namespace walsh
