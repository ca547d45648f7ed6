// Results for people: on stdout, or on stderr where --json keeps stdout for the object.
#pragma once

#include <cstdio>

#include "cli.h"

namespace walsh {

inline void show(const Globals& globals, const std::string& line) {
  if (globals.json) {
    say(globals, line);
  } else {
    std::fprintf(stdout, "%s\n", line.c_str());
    std::fflush(stdout);
  }
}

}  // namespace walsh
