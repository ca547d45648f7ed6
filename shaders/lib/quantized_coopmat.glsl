// Runs of a quantised weight for lib/gemm_coopmat.glsl: eight from column `first`, a multiple of 8, of a row, dequantised
// in fp32; 0 outside.
#include "lib/quantized.glsl"

void weight_run(uint row, uint first, out vec4 low, out vec4 high) {
  low = high = vec4(0.0);
  if (row >= args.outputs[PART] || first >= args.inputs) return;
  float run[8];
  dequantise8(row, first, RUNS ? grid_word(row, first) : 0, run);
  low = vec4(run[0], run[1], run[2], run[3]);
  high = vec4(run[4], run[5], run[6], run[7]);
}
