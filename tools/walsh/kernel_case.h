// One kernel at one shape, as `walsh doctor` checks it and `walsh bench` times it. Each op has a file in
// tools/walsh/cases that registers a factory; nothing else lists the ops.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ops/tolerance.h"
#include "tensor/tensor_store.h"
#include "vk/recorder.h"

namespace walsh {

struct Comparison {
  std::vector<float> got;
  std::vector<double> expected;
  std::vector<double> magnitude;  // Σ|aᵢ·bᵢ| of each element
  double length = 1;              // terms of a reduction
};

struct KernelCase {
  std::string op;         // the stem of shaders/ and src/ops/
  std::string variant;    // "forward, 4 bits, group 64"
  std::string shape;      // "512 x 4096 x 14336"
  double bytes = 0;       // that the kernel must move at least
  double operations = 0;  // additions and multiplications it must do
  bool products = false;  // of matrices, whose operands a recorder's precision rounds
  /// That it multiplies, whatever the recorder says.
  vk::Precision operands = vk::Precision::fp32;
  std::function<void(vk::Recorder&)> record;
  std::function<Comparison()>
      compare;  // reads back what `record` computed, beside the reference; empty: bench only
};

enum class CaseSize {
  check,
  standard,
  all
};  // doctor's small odd shapes; bench's one standard shape; every shape of real models

/// Makes the op's cases. Tensors live in `store`.
using CaseFactory = std::vector<KernelCase> (*)(TensorStore& store, CaseSize size);

struct CaseRegistration {
  CaseRegistration(const char* op, CaseFactory factory);
};

struct RegisteredOp {
  std::string op;
  CaseFactory factory;
};

/// All registered ops, by name.
std::vector<RegisteredOp> registered_ops();

}  // namespace walsh
