# The shader compiler for kernels on cooperative matrices, shaders/*_coopmat.comp, which Debian 12's does not know:
# WALSH_GLSLANG where that is set, the system's own where it will do, or the one that tools/shader_tools unpacks into
# build/shader-tools. Sets COOPMAT_GLSLANG, COOPMAT_SPIRV_OPT and COOPMAT_SPIRV_VAL, and COOPMAT_OPERANDS: which of
# f16 and bf16 it compiles (cmake/probes). Without one, or for operands that it lacks, these kernels are left out.
set(WALSH_GLSLANG "" CACHE FILEPATH
    "glslangValidator for kernels on cooperative matrices; spirv-opt and spirv-val are taken from beside it")

set(COOPMAT_OPERANDS)
set(candidates ${GLSLANG} ${CMAKE_SOURCE_DIR}/build/shader-tools/bin/glslangValidator)
if(WALSH_GLSLANG)
  set(candidates ${WALSH_GLSLANG})
endif()
foreach(compiler ${candidates})
  get_filename_component(folder ${compiler} DIRECTORY)
  set(spirv_opt ${SPIRV_OPT})
  set(spirv_val ${SPIRV_VAL})
  if(EXISTS ${folder}/spirv-opt AND EXISTS ${folder}/spirv-val)
    set(spirv_opt ${folder}/spirv-opt)
    set(spirv_val ${folder}/spirv-val)
  endif()
  set(known)
  foreach(operand f16 bf16)
    set(module ${CMAKE_BINARY_DIR}/probe_${operand}.spv)
    execute_process(
      COMMAND ${compiler} --quiet --target-env vulkan1.3 ${CMAKE_SOURCE_DIR}/cmake/probes/${operand}.comp -o ${module}.raw
      RESULT_VARIABLE compiled OUTPUT_QUIET ERROR_QUIET)
    if(compiled EQUAL 0)
      execute_process(COMMAND ${spirv_opt} -O ${module}.raw -o ${module}
                      RESULT_VARIABLE optimised OUTPUT_QUIET ERROR_QUIET)
      execute_process(COMMAND ${spirv_val} --target-env vulkan1.3 ${module}
                      RESULT_VARIABLE valid OUTPUT_QUIET ERROR_QUIET)
      if(optimised EQUAL 0 AND valid EQUAL 0)
        list(APPEND known ${operand})
      endif()
    endif()
  endforeach()
  list(LENGTH known count)
  list(LENGTH COOPMAT_OPERANDS best)
  if(count GREATER best)
    set(COOPMAT_OPERANDS ${known})
    set(COOPMAT_GLSLANG ${compiler})
    set(COOPMAT_SPIRV_OPT ${spirv_opt})
    set(COOPMAT_SPIRV_VAL ${spirv_val})
  endif()
endforeach()
