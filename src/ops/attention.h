// Attention with grouped KV heads, no T × T matrix in memory:
//   y[t,h] = Σ_s p[t,h,s] v[s,h'],  p = softmax_s(scale · q[t,h]·k[s,h']),  h' = h / (H / KV),
// over the keys that query t sees; forward as in FlashAttention (Dao et al., 2022, arXiv 2205.14135),
// backward with the probabilities recomputed from the rows' log-sum-exp, without atomics.
//   q, y: f32 [T, H, D]; k, v: f32 [S, KV, D]; lse: f32 [T, H]. D is a multiple of 8, from 8 to 256.
#pragma once

#include <optional>

#include "ops/op.h"

namespace walsh {

/// Which keys a query sees is data: query t sees keys [key_begin[t], key_end[t]), u32 [T]. Causal order,
/// packed sequences, sliding windows and decoding with a KV cache are all such ranges. An empty range gives y
/// = 0 and lse = −inf. For the backward key s is seen by no query outside [query_begin[s], query_end[s]), u32
/// [S].
struct AttentionRanges {
  Tensor key_begin, key_end, query_begin, query_end;  // the last two only for the backward
};

/// Two families of kernels for the same sums in fp32: tiles in shared memory, or operands read as texels and
/// all sums in registers. Left open, it is what this device runs faster (ops/texels.h), or, where the
/// recorder lets operands have 16 bits, matrix units (ops/attention_matrices.h); lse and delta are fp32
/// always.
enum class AttentionKernels : std::uint8_t { tiled, direct };

/// Keys that no query sees are never read, so the unused end of a KV cache may hold anything.
void attention_forward(Recorder& rec, const Tensor& y, const Tensor& lse, const Tensor& q, const Tensor& k,
                       const Tensor& v, const AttentionRanges& ranges, float scale,
                       std::optional<AttentionKernels> kernels = {});

/// dq, dk, dv = the gradients of q, k, v. delta: scratch, f32 [T, H].
void attention_backward(Recorder& rec, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        const Tensor& delta, const Tensor& dy, const Tensor& y, const Tensor& lse,
                        const Tensor& q, const Tensor& k, const Tensor& v, const AttentionRanges& ranges,
                        float scale, std::optional<AttentionKernels> kernels = {});

}  // namespace walsh
