// What walsh throws. The message is one line: what was found, what was expected, how to mend it.
#pragma once

#include <stdexcept>

namespace walsh {

/// An option, a file or a device is not as required; the command line's exit status 2.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The work itself failed: a loss that is not finite, a full disk, a lost device; exit status 1.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace walsh
