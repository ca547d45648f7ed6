// Whether a shader compiler knows cooperative matrices of float16_t: it compiles this, or not.
#version 460
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

layout(local_size_x = 32) in;
layout(binding = 0) buffer Sum { float sum[]; };
shared float16_t tile[256];

void main() {
  tile[gl_LocalInvocationID.x] = float16_t(1.0);
  barrier();
  coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA> a;
  coopMatLoad(a, tile, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
  coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> c =
      coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(0.0);
  coopMatStore(c, sum, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
}
