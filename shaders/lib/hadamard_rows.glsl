// The body of hadamard_rows: y[r,:] = scale · x[r,:] · (had_ORDERᵀ ⊗ H_m2), rows of length WIDTH = ORDER · m2, m2 = 2^BITS;
// ORDER 1: no base.
// A workgroup keeps ROWS rows in shared memory: butterflies along m2 in up to four passes of up to four bits each, held
// in registers within a pass, then the base. The first pass reads memory and the last writes it. A row is read whole
// before it is written, so that y may be x.
//
// The including kernel declares the buffers y and signs and the push constants args, defines what is declared below, and
// has a main that calls transform_rows().
layout(local_size_x = 256) in;
layout(constant_id = 0) const uint ORDER = 1;
layout(constant_id = 1) const uint BITS = 4;
layout(constant_id = 2) const uint ROWS = 1;
layout(constant_id = 3) const uint ROWS_AT_ONCE = 1;
layout(constant_id = 4) const uint PADDED = 1;
layout(constant_id = 5) const uint TILE = 16;  // words of shared memory

// Element i of the workgroup's rows, which begin at `start`; each is read once.
float element(uint start, uint i);

shared float hadamard_tile[TILE];
#include "hadamard.glsl"

const uint M2 = 1u << BITS;
const uint WIDTH = ORDER << BITS;
const uint PASSES = (BITS + 3u) / 4u;
const uint LEAST = BITS / (PASSES + (PASSES == 0u ? 1u : 0u));  // bits of a pass; the lowest MORE have one more
const uint MORE = BITS - LEAST * PASSES;

void write(uint i, float value) {
  const float scaled = args.scale * value;
  y[i] = args.accumulate == 1u ? y[i] + scaled : scaled;
}

// One pass of butterflies on WIDTH_BITS bits from SHIFT on. The passes commute; the top bits go first because their
// reads are contiguous across invocations.
void butterflies(uint pass, uint start, uint end) {
  const uint group = pass == 0u ? PASSES - 1u : pass - 1u;
  const uint bits = LEAST + (group < MORE ? 1u : 0u);
  const uint shift = group * LEAST + min(group, MORE);
  const uint radix = 1u << bits;
  const bool to_memory = ORDER == 1u && pass + 1u == PASSES;
  for (uint task = gl_LocalInvocationID.x; task < (ROWS * WIDTH) >> bits; task += 256u) {
    const uint low = task & ((1u << shift) - 1u);
    const uint first = ((task >> shift) << (shift + bits)) | low;
    float v[16];
    for (uint k = 0; k < 16u; ++k) {
      if (k < radix) {
        const uint i = first + (k << shift);
        v[k] = pass > 0u ? hadamard_tile[tile_at(i)] : start + i < end ? element(start, i) : 0.0;
      }
    }
    for (uint half_bits = 0; half_bits < 4u; ++half_bits) {
      if (half_bits < bits) {
        for (uint k = 0; k < 16u; ++k) {
          const uint other = k | (1u << half_bits);
          if (other != k && other < radix) {
            const float a = v[k], b = v[other];
            v[k] = a + b;
            v[other] = a - b;
          }
        }
      }
    }
    for (uint k = 0; k < 16u; ++k) {
      if (k < radix) {
        const uint i = first + (k << shift);
        if (!to_memory) hadamard_tile[tile_at(i)] = v[k];
        else if (start + i < end) write(start + i, v[k]);
      }
    }
  }
  if (!to_memory) barrier();
}

// Rows [row, row + ROWS), of which the first is inside.
void transform_rows(uint row) {
  const uint start = row * WIDTH;
  const uint end = min(row + ROWS, args.rows) * WIDTH;
  const uint lane = gl_LocalInvocationID.x;
  if (PASSES > 0u) butterflies(0u, start, end);
  if (PASSES > 1u) butterflies(1u, start, end);
  if (PASSES > 2u) butterflies(2u, start, end);
  if (PASSES > 3u) butterflies(3u, start, end);
  if (PASSES == 0u) {
    for (uint i = lane; i < ROWS * WIDTH; i += 256u) hadamard_tile[tile_at(i)] = start + i < end ? element(start, i) : 0.0;
    barrier();
  }
  if (ORDER == 1u) {
    if (PASSES == 0u)
      for (uint i = lane; start + i < end; i += 256u) write(start + i, hadamard_tile[tile_at(i)]);
    return;
  }
  const uint blocks = (ORDER + ROWS_AT_ONCE - 1u) / ROWS_AT_ONCE;
  for (uint task = lane; task < ROWS * blocks * M2; task += 256u) {
    const uint column = task & (M2 - 1u);
    const uint block = (task >> BITS) % blocks;
    const uint first = (task >> BITS) / blocks * WIDTH + column;
    if (start + first >= end) continue;
    const float sums[16] = base_sums(args.signs, block, first, M2);
    for (uint r = 0; r < ROWS_AT_ONCE; ++r) {
      const uint k = block * ROWS_AT_ONCE + r;
      if (k < ORDER) write(start + first + k * M2, sums[r]);
    }
  }
}
