// What the attention kernels without shared memory have in common, for drivers that run on the CPU. There each word
// from a storage buffer or from shared memory costs as much as twenty vector additions, because every lane inserts it
// into a vector in memory, while a texel buffer is gathered in registers. So whatever is read is read as texels of
// four words. An invocation owns own_each rows (or keys) of a KV head, `lanes` apart, and walks over the other side in
// blocks; the products of a block and what they sum to are registers, and each output is stored once. A row is a query
// head: row r is query r / group, head r % group of the group.
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_samplerless_texture_functions : require
#include "attention.h"

layout(local_size_x = 8) in;
layout(constant_id = 0) const uint own_each = 4;
layout(constant_id = 1) const uint block = 4;
layout(constant_id = 2) const uint quads = 16;  // texels of a head, D / 4
layout(push_constant) uniform Push { AttentionArgs args; };

const uint lanes = 8;

uint group_heads() { return args.heads / args.kv_heads; }

/// The first of what an invocation owns; the others are `lanes` apart.
uint first_owned() { return gl_WorkGroupID.x * lanes * own_each + gl_LocalInvocationID.x; }
