// The operands' type of kernels on cooperative matrices, by the variant OPERAND=f16,bf16, and what these kernels need.
#define f16 1
#define bf16 2
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#if OPERAND == f16
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define OPERAND1 float16_t
#define OPERAND4 f16vec4
#else
#extension GL_EXT_bfloat16 : require
#define OPERAND1 bfloat16_t
#define OPERAND4 bf16vec4
#endif
