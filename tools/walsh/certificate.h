// The certificate of a device and driver: what walsh doctor found there, as JSON to attach to a report.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli.h"

namespace walsh {

/// A kernel at one shape against its reference.
struct Verdict {
  std::string name, variant, shape;
  double max_error = 0;  // in units of eps · magnitude, see ops/tolerance.h
  double tolerance = 0;
  bool pass = false;
};

OrderedJson to_json(const Verdict& verdict);

/// `walsh doctor --compare A B`: where two certificates differ.
void compare_certificates(const Globals& globals, const std::filesystem::path& a,
                          const std::filesystem::path& b);

}  // namespace walsh
