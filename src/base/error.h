// The two ways walsh ends early. Only main() catches them.
#pragma once

#include <fmt/format.h>

#include <stdexcept>

namespace walsh {

/// The command line, a file or a device is not as required (exit status 2). The message is one line: what was found,
/// what was expected, how to mend it.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The work itself failed: a loss that is not finite, a lost device, a full disk (exit status 1).
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Failure(fmt::format(format, std::forward<Args>(args)...));
}

/// Refuses unless `ok`.
template <typename... Args>
void require(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) refuse(format, std::forward<Args>(args)...);
}

}  // namespace walsh
