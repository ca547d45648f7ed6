// walsh doctor --compile-only: what a driver's compiler makes of every kernel.
#pragma once

#include "cli.h"

namespace walsh {

/// Builds the pipelines of every kernel case, runs none, and prints the driver's statistics of each.
void compile_only(const Globals& globals);

}  // namespace walsh
