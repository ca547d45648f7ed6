// Products that share an operand run as parts of one dispatch. What each has of its own lies in the same
// blocks of memory: one binding covers it, and the arguments say at which word of the binding each part
// begins (src/ops/parts.h).
#define MOST_PARTS 3
