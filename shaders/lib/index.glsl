// Positions in a dispatch that the host folded onto two axes (src/ops/op.h). The workgroup's size is an argument because
// glslang reads gl_WorkGroupSize as 1 in functions that stand before the layout that declares it.

uint row_index() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }

uint element_index(uint workgroup) { return row_index() * workgroup + gl_LocalInvocationID.x; }
