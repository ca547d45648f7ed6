// counter += 1
#version 460

layout(local_size_x = 1) in;
layout(binding = 0) buffer Counter { uint counter[]; };

void main() { counter[0] += 1; }
