// What the attention kernels without shared memory have in common, for devices whose shared memory is no faster
// than a buffer. An invocation owns own_each rows (or keys) of a KV head, `lanes` apart, and walks over the
// other side in blocks: the products of a block are registers, and what they sum to is the output in memory,
// read and written once a block, so that nothing depends on the head's width. A row is a query head: row r is
// query r / group, head r % group of the group.
#extension GL_EXT_control_flow_attributes : require
#include "attention.h"

layout(local_size_x = 8) in;
layout(constant_id = 0) const uint own_each = 8;
layout(constant_id = 1) const uint block = 16;
layout(push_constant) uniform Push { AttentionArgs args; };

const uint lanes = 8;

uint group_heads() { return args.heads / args.kv_heads; }

/// The first of what an invocation owns; the others are `lanes` apart.
uint first_owned() { return gl_WorkGroupID.x * lanes * own_each + gl_LocalInvocationID.x; }
