// What the attention kernels on cooperative matrices share (the order of FlashAttention 2: Dao, 2023, arXiv
// 2307.08691). A workgroup owns OWNED rows (query heads that share a KV head, as in attention_tile.glsl) or keys, and
// walks over tiles of WALKED of the others. Heads lie in shared memory as they lie in their buffers, whole, rounded to
// the operands' type. Two products alternate:
//   scores [OWNED, WALKED] = owned · walkedᵀ        over the heads' WIDTH dims, summed and left in fp32
//   sum [OWNED, WIDTH]    += weights · walked       weights, of the operands' type, made from the scores
// Scores pass through shared memory, since no one but the device knows which element of a matrix an invocation holds.
// SUBGROUP_ROWS × SUBGROUP_COLUMNS subgroups share each product; a subgroup makes FR × FS matrices [M, N] of the
// scores and keeps FR × FD of every sum in registers. Between the products PER_OWNED invocations of one subgroup share a row
// of scores, four scores at a time. Rows of shared memory are padded by 16 bytes against bank conflicts.
//
// OWNED, WALKED and WIDTH are whole matrices for both products, PER_OWNED · 4 divides WALKED, and sums leave where the
// scores lay, so SUBGROUP_COLUMNS · N <= WALKED: src/ops/attention_matrices.cpp chooses them so.
#extension GL_KHR_shader_subgroup_ballot : require
#include "operand.glsl"
#include "attention.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 128;
layout(constant_id = 1) const uint SUBGROUP = 32;
layout(constant_id = 2) const uint M = 16;  // the matrix that the device multiplies: [M, K] by [K, N]
layout(constant_id = 3) const uint N = 16;
layout(constant_id = 4) const uint K = 16;
layout(constant_id = 5) const uint SUBGROUP_ROWS = 4;
layout(constant_id = 6) const uint OWNED = 64;
layout(constant_id = 7) const uint WALKED = 32;
layout(constant_id = 8) const uint WIDTH = 64;
layout(push_constant) uniform Push { AttentionArgs args; };

const uint SUBGROUP_COLUMNS = WORKGROUP / SUBGROUP / SUBGROUP_ROWS;
const uint FR = OWNED / (SUBGROUP_ROWS * M);
const uint FS = WALKED / (SUBGROUP_COLUMNS * N);
const uint FD = WIDTH / (SUBGROUP_COLUMNS * N);
const uint PER_OWNED = WORKGROUP / OWNED;
const uint EACH = WALKED / 4 / PER_OWNED;  // fours of scores of an invocation

// Elements are fours; a row of them is padded to a stride.
const uint QUADS = WIDTH / 4;
const uint HEAD_STRIDE = QUADS + 2, SCORE_STRIDE = WALKED / 4 + 1, WEIGHT_STRIDE = WALKED / 4 + 2;
shared vec4 scores[OWNED * SCORE_STRIDE];
shared OPERAND4 weights[OWNED * WEIGHT_STRIDE];
shared uint hull_begin, hull_end;

const float lowest = -3.0e38;

uint lane() { return gl_SubgroupID * SUBGROUP + gl_SubgroupInvocationID; }
uint owned_of_lane() { return lane() / PER_OWNED; }  // between the products
uint part_of_lane() { return lane() % PER_OWNED; }
uint quad_of(uint e) { return part_of_lane() + e * PER_OWNED; }  // e < EACH
uint score_at(uint e) { return owned_of_lane() * SCORE_STRIDE + quad_of(e); }
uint weight_at(uint e) { return owned_of_lane() * WEIGHT_STRIDE + quad_of(e); }

uint first_row() { return gl_SubgroupID / SUBGROUP_COLUMNS * (FR * M); }    // of a subgroup, in the owned tile
uint first_score() { return gl_SubgroupID % SUBGROUP_COLUMNS * (FS * N); }  // in the walked tile
uint first_dim() { return gl_SubgroupID % SUBGROUP_COLUMNS * (FD * N); }    // in the head

// Where a subgroup's matrices begin in the tiles.
uint owned_head(uint i, uint k) { return (first_row() + i * M) * HEAD_STRIDE + k / 4; }
uint score_head(uint j, uint k) { return (first_score() + j * N) * HEAD_STRIDE + k / 4; }
uint score_corner(uint i, uint column) { return (first_row() + i * M) * SCORE_STRIDE + column / 4; }
uint weight_corner(uint i, uint k) { return (first_row() + i * M) * WEIGHT_STRIDE + k / 4; }
uint dim_corner(uint k, uint j) { return k * HEAD_STRIDE + (first_dim() + j * N) / 4; }

uint group_heads() { return args.heads / args.kv_heads; }

/// Index of a row's query head in [T, H].
uint query_head(uint row, uint kv) {
  const uint group = group_heads();
  return row / group * args.heads + kv * group + row % group;
}

/// Index of a key's head in [S, KV].
uint key_head(uint key, uint kv) { return key * args.kv_heads + kv; }

/// The least range that covers those of all invocations, the same for all: (0xffffffff, 0) where all are empty.
uvec2 workgroup_hull(uint begin, uint end) {
  if (lane() == 0) {
    hull_begin = 0xffffffffu;
    hull_end = 0;
  }
  barrier();
  if (begin < end) {
    atomicMin(hull_begin, begin);
    atomicMax(hull_end, end);
  }
  barrier();
  return subgroupBroadcastFirst(uvec2(hull_begin, hull_end));
}

/// Which of the four positions from `first` on lie in [begin, end).
bvec4 within(uint first, uint begin, uint end) {
  const uvec4 position = first + uvec4(0, 1, 2, 3);
  return bvec4(uvec4(greaterThanEqual(position, uvec4(begin))) & uvec4(lessThan(position, uvec4(end))));
}

#define SUMS coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
#define LEFT coopmat<OPERAND1, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<OPERAND1, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define ALONG_ROWS gl_CooperativeMatrixLayoutRowMajor
#define ALONG_COLUMNS gl_CooperativeMatrixLayoutColumnMajor

// Fills a tile of `count` heads from `source`, the four values at `quad` of the head at `at`.
#define STAGE(tile, count, source)                                                                      \
  for (uint e_ = lane(); e_ < (count) * QUADS; e_ += WORKGROUP) {                                       \
    const uint at = e_ / QUADS, quad = e_ % QUADS;                                                      \
    tile[at * HEAD_STRIDE + quad] = OPERAND4(source);                                                   \
  }

#define CLEAR(sum) [[unroll]] for (uint i_ = 0; i_ < FR * FD; ++i_) sum[i_] = SUMS(0.0);

// scores = owned · walkedᵀ
#define MULTIPLY_HEADS(owned, walked)                                                                   \
  {                                                                                                     \
    SUMS score_[FR * FS];                                                                               \
    [[unroll]] for (uint i_ = 0; i_ < FR * FS; ++i_) score_[i_] = SUMS(0.0);                            \
    for (uint k_ = 0; k_ < WIDTH; k_ += K) {                                                            \
      LEFT a_[FR];                                                                                      \
      [[unroll]] for (uint i_ = 0; i_ < FR; ++i_)                                                       \
        coopMatLoad(a_[i_], owned, owned_head(i_, k_), HEAD_STRIDE, ALONG_ROWS);                        \
      [[unroll]] for (uint j_ = 0; j_ < FS; ++j_) {                                                     \
        RIGHT b_;                                                                                       \
        coopMatLoad(b_, walked, score_head(j_, k_), HEAD_STRIDE, ALONG_COLUMNS);                        \
        [[unroll]] for (uint i_ = 0; i_ < FR; ++i_)                                                     \
          score_[i_ * FS + j_] = coopMatMulAdd(a_[i_], b_, score_[i_ * FS + j_]);                       \
      }                                                                                                 \
    }                                                                                                   \
    [[unroll]] for (uint i_ = 0; i_ < FR; ++i_) {                                                       \
      [[unroll]] for (uint j_ = 0; j_ < FS; ++j_)                                                       \
        coopMatStore(score_[i_ * FS + j_], scores, score_corner(i_, first_score() + j_ * N),            \
                     SCORE_STRIDE, ALONG_ROWS);                                                         \
    }                                                                                                   \
  }

// sum += weights · walked
#define ADD_WEIGHTED(sum, walked)                                                                       \
  for (uint k_ = 0; k_ < WALKED; k_ += K) {                                                             \
    LEFT a_[FR];                                                                                        \
    [[unroll]] for (uint i_ = 0; i_ < FR; ++i_)                                                         \
      coopMatLoad(a_[i_], weights, weight_corner(i_, k_), WEIGHT_STRIDE, ALONG_ROWS);                   \
    [[unroll]] for (uint j_ = 0; j_ < FD; ++j_) {                                                       \
      RIGHT b_;                                                                                         \
      coopMatLoad(b_, walked, dim_corner(k_, j_), HEAD_STRIDE, ALONG_ROWS);                             \
      [[unroll]] for (uint i_ = 0; i_ < FR; ++i_)                                                       \
        sum[i_ * FD + j_] = coopMatMulAdd(a_[i_], b_, sum[i_ * FD + j_]);                               \
    }                                                                                                   \
  }

// Multiplies the rows of `sum` by what stands in every score of them.
#define MULTIPLY_ROWS(sum)                                                                              \
  [[unroll]] for (uint i_ = 0; i_ < FR; ++i_) {                                                         \
    SUMS factor_;                                                                                       \
    coopMatLoad(factor_, scores, score_corner(i_, 0), SCORE_STRIDE, ALONG_ROWS);                        \
    [[unroll]] for (uint j_ = 0; j_ < FD; ++j_) sum[i_ * FD + j_] = sum[i_ * FD + j_] * factor_;        \
  }

// result[head][...] = factor · sum for the owned rows `at` < limit, through the subgroup's own part of the scores.
#define STORE(sum, factor, limit, result, head)                                                         \
  [[unroll]] for (uint i_ = 0; i_ < FR; ++i_) {                                                         \
    const uint corner_ = score_corner(i_, gl_SubgroupID % SUBGROUP_COLUMNS * N);                        \
    [[unroll]] for (uint j_ = 0; j_ < FD; ++j_) {                                                       \
      coopMatStore(sum[i_ * FD + j_], scores, corner_, SCORE_STRIDE, ALONG_ROWS);                       \
      subgroupBarrier();                                                                                \
      for (uint e_ = gl_SubgroupInvocationID; e_ < M * (N / 4); e_ += SUBGROUP) {                       \
        const uint at = first_row() + i_ * M + e_ / (N / 4), quad = e_ % (N / 4);                       \
        if (at < (limit))                                                                               \
          result[(head) * QUADS + (first_dim() + j_ * N) / 4 + quad] =                                  \
              (factor) * scores[corner_ + e_ / (N / 4) * SCORE_STRIDE + quad];                          \
      }                                                                                                 \
      subgroupBarrier();                                                                                \
    }                                                                                                   \
  }
