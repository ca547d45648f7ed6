// Runs of a dense weight for lib/gemm_coopmat.glsl: eight from column `first` of a row, 0 outside. The including kernel
// defines WEIGHT_TYPE (lib/weight.glsl) and binds the weight twice, as words `w` and as vectors `w4`.
#include "lib/weight.glsl"

void weight_run(uint row, uint first, out vec4 low, out vec4 high) {
  low = high = vec4(0.0);
  if (row >= args.outputs || first >= args.inputs) return;
  const uint at = row * args.inputs + first;
  if (!WHOLE) {
    float run[8];
    weights8(at, min(args.inputs - first, 8), run);
    low = vec4(run[0], run[1], run[2], run[3]);
    high = vec4(run[4], run[5], run[6], run[7]);
  } else if (WEIGHT_TYPE == 0) {
    low = uintBitsToFloat(w4[at / 4]);
    high = uintBitsToFloat(w4[at / 4 + 1]);
  } else {
    const uvec4 words = w4[at / 8];
    if (WEIGHT_TYPE == 1) {
      low = vec4(unpackHalf2x16(words.x), unpackHalf2x16(words.y));
      high = vec4(unpackHalf2x16(words.z), unpackHalf2x16(words.w));
    } else {
      const uvec4 even = words << 16, odd = words & 0xffff0000u;
      low = uintBitsToFloat(uvec4(even.x, odd.x, even.y, odd.y));
      high = uintBitsToFloat(uvec4(even.z, odd.z, even.w, odd.w));
    }
  }
}
