// Two ways to stop, declared for users in include/walsh/error.h. `Error`: the command line, a file or a
// device is not as required (exit status 2). `Failure`: the work itself failed (exit status 1). Messages are
// one line: what was found, what was expected, how to mend it. Only main() catches them.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "walsh/error.h"

namespace walsh {

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Failure(fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void require(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) refuse(format, std::forward<Args>(args)...);
}

}  // namespace walsh
