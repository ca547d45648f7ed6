# Every shaders/*.comp becomes SPIR-V: compiled by glslang, optimised by spirv-opt, checked by spirv-val, and embedded
# in the binary (library walsh_shaders, table in src/vk/modules.h). A shader that opens with the line
#   //! variants: NAME=value,value,...
# is built once a value with -DNAME=value; the module is then called <stem>.<value>. Kernels *_coopmat.comp want a newer
# compiler (cmake/coopmat.cmake), and are left out where there is none.
find_program(GLSLANG glslangValidator REQUIRED)
find_program(SPIRV_OPT spirv-opt REQUIRED)
find_program(SPIRV_VAL spirv-val REQUIRED)

include(cmake/coopmat.cmake)

set(shader_dir ${CMAKE_SOURCE_DIR}/shaders)
set(module_dir ${CMAKE_BINARY_DIR}/shaders)
file(MAKE_DIRECTORY ${module_dir})
file(GLOB kernels CONFIGURE_DEPENDS ${shader_dir}/*.comp)
file(GLOB shader_headers CONFIGURE_DEPENDS ${shader_dir}/*.h ${shader_dir}/lib/*.glsl)

set(modules)
set(left_out)
foreach(kernel ${kernels})
  get_filename_component(stem ${kernel} NAME_WE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${kernel})
  file(STRINGS ${kernel} variant_line REGEX "^//! variants: " LIMIT_COUNT 1)
  set(variants "-")
  if(variant_line MATCHES "variants: ([A-Za-z0-9_]+)=([A-Za-z0-9_,]+)")
    set(variant_name ${CMAKE_MATCH_1})
    string(REPLACE "," ";" variants ${CMAKE_MATCH_2})
  endif()
  foreach(variant ${variants})
    set(name ${stem})
    set(define)
    if(NOT variant STREQUAL "-")
      set(name ${stem}.${variant})
      set(define -D${variant_name}=${variant})
    endif()
    set(compiler ${GLSLANG})
    set(spirv_opt ${SPIRV_OPT})
    set(spirv_val ${SPIRV_VAL})
    if(stem MATCHES "_coopmat$")
      if(NOT variant IN_LIST COOPMAT_OPERANDS)
        list(APPEND left_out ${name})
        continue()
      endif()
      set(compiler ${COOPMAT_GLSLANG})
      set(spirv_opt ${COOPMAT_SPIRV_OPT})
      set(spirv_val ${COOPMAT_SPIRV_VAL})
    endif()
    set(module ${module_dir}/${name}.spv)
    add_custom_command(
      OUTPUT ${module}
      COMMAND ${compiler} --quiet --target-env vulkan1.3 -I${shader_dir} ${define} ${kernel} -o ${module}.raw
      COMMAND ${spirv_opt} -O ${module}.raw -o ${module}
      COMMAND ${spirv_val} --target-env vulkan1.3 ${module}
      DEPENDS ${kernel} ${shader_headers}
      COMMENT "shader ${name}")
    list(APPEND modules ${module})
  endforeach()
endforeach()

if(left_out)
  list(JOIN left_out " " left_out)
  message(STATUS "Left out, since the shader compiler is too old for them (tools/shader_tools fetches one): ${left_out}")
endif()

add_custom_command(
  OUTPUT ${module_dir}/modules.cpp
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${module_dir}/modules.cpp "-DMODULES=${modules}"
          -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${modules} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  COMMENT "embedding the shaders"
  VERBATIM)
add_library(walsh_shaders STATIC ${module_dir}/modules.cpp)
target_include_directories(walsh_shaders PRIVATE ${CMAKE_SOURCE_DIR}/src)
