# cmake --install: the binary, the public headers and the libraries, for find_package(walsh) and its target
# walsh::walsh, which is the public headers in front of every layer.
include(GNUInstallDirs)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/walsh)
get_property(layers GLOBAL PROPERTY WALSH_LAYERS)

if(TARGET walsh)
  install(TARGETS walsh RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS walsh_public ${layers} walsh_shaders volk glm blis pcre2 utf8proc sentencepiece xxhash EXPORT walsh
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/ OPTIONAL DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT walsh FILE walshTargets.cmake NAMESPACE walsh:: DESTINATION ${package_dir})

include(CMakePackageConfigHelpers)
configure_package_config_file(cmake/walshConfig.cmake.in ${CMAKE_BINARY_DIR}/walshConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/walshConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/walshConfig.cmake ${CMAKE_BINARY_DIR}/walshConfigVersion.cmake cmake/packages.cmake
        DESTINATION ${package_dir})
