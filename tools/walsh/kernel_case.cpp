#include "kernel_case.h"

#include <algorithm>

namespace walsh {
namespace {

std::vector<RegisteredOp>& registry() {
  static std::vector<RegisteredOp> ops;
  return ops;
}

}  // namespace

CaseRegistration::CaseRegistration(const char* op, CaseFactory factory) {
  registry().push_back({op, factory});
}

std::vector<RegisteredOp> registered_ops() {
  auto ops = registry();
  std::sort(ops.begin(), ops.end(), [](const auto& a, const auto& b) { return a.op < b.op; });
  return ops;
}

}  // namespace walsh
