# What walsh's libraries are linked from, all of it packaged by the distribution (tools/setup lists the packages). The
# installed walshConfig.cmake includes this file too.
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Eigen3 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
if(WALSH_SENTENCEPIECE)
  pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET sentencepiece)
endif()
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
