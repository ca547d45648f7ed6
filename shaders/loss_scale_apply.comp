// scaled = factor · S,  state = {S, steps since S changed}
#version 460

layout(local_size_x = 1) in;
layout(binding = 0) writeonly buffer Scaled { float scaled[]; };
layout(binding = 1) readonly buffer Factor { float factor[]; };
layout(binding = 2) readonly buffer State { float state[]; };

void main() { scaled[0] = factor[0] * state[0]; }
