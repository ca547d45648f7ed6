#include "methods/quantization_error.h"

namespace walsh {

std::vector<float> quantization_error(const ProjectionStart& p) {
  std::vector<float> delta(p.original.begin(), p.original.end());
  for (std::uint32_t i = 0; i < p.rows; ++i) {
    for (std::uint32_t j = 0; j < p.columns; ++j)
      delta[std::size_t{i} * p.columns + j] -= p.base->weight(i, j);
  }
  return delta;
}

}  // namespace walsh
