// What quantisation did to a projection's weight, for methods whose start takes it back.
#pragma once

#include <vector>

#include "methods/method.h"

namespace walsh {

/// W − W_q [rows, columns] of a projection with both.
std::vector<float> quantization_error(const ProjectionStart& p);

}  // namespace walsh
