# cmake --install: the binary, the public headers and the libraries, for find_package(walsh) and its target
# walsh::walsh, the topmost layer with all that it stands on.
include(GNUInstallDirs)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/walsh)
get_property(layers GLOBAL PROPERTY WALSH_LAYERS)
list(GET layers -1 top_layer)

if(TARGET walsh)
  install(TARGETS walsh RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS ${layers} walsh_shaders volk glm pcre2 utf8proc sentencepiece xxhash EXPORT walsh
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/ OPTIONAL DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT walsh FILE walshTargets.cmake NAMESPACE walsh:: DESTINATION ${package_dir})

include(CMakePackageConfigHelpers)
configure_package_config_file(cmake/walshConfig.cmake.in ${CMAKE_BINARY_DIR}/walshConfig.cmake
                              INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/walshConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/walshConfig.cmake ${CMAKE_BINARY_DIR}/walshConfigVersion.cmake cmake/packages.cmake
        DESTINATION ${package_dir})
