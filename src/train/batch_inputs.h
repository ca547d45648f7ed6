// A data batch as the inputs of a pass.
#pragma once

#include "data/batches.h"
#include "model/inputs.h"

namespace walsh {

inline TokenBatch batch_inputs(const Batch& batch) {
  return {.ids = batch.ids,
          .targets = batch.targets,
          .positions = batch.positions,
          .begin = batch.begin,
          .end = batch.end};
}

}  // namespace walsh
