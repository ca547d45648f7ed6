# Everything comes from the distribution (tools/setup lists the packages).
include(cmake/packages.cmake)
find_package(CLI11 REQUIRED)

foreach(library blis pcre2 utf8proc sentencepiece xxhash)
  add_library(${library} INTERFACE)
  if(TARGET PkgConfig::${library})
    target_link_libraries(${library} INTERFACE PkgConfig::${library})
  endif()
endforeach()
if(TARGET BLIS::BLIS)
  target_link_libraries(blis INTERFACE BLIS::BLIS)
endif()

find_path(GLM_INCLUDE glm/glm.hpp REQUIRED)
add_library(glm INTERFACE)
target_include_directories(glm SYSTEM INTERFACE ${GLM_INCLUDE})

# volk loads the Vulkan loader at run time, so the binary starts on a machine that has none.
find_path(VOLK_INCLUDE volk.h REQUIRED)
find_file(VOLK_SOURCE volk.c PATHS ${VOLK_INCLUDE} REQUIRED)
add_library(volk STATIC ${VOLK_SOURCE})
target_include_directories(volk SYSTEM PUBLIC ${VOLK_INCLUDE})
target_compile_options(volk PRIVATE -w)
target_link_libraries(volk PUBLIC ${CMAKE_DL_LIBS})
