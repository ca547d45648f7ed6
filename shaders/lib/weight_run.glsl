// A run (lib/run.glsl) of a dense weight (lib/weight.glsl).
void weight_run(uint first, out float run[RUN]) {
#if RUN == 8
  weights8(first, 8, run);
#else
  run[0] = weight_at(first);
#endif
}
