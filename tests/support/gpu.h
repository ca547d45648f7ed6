// The device under test and small tensors on it.
#pragma once

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tensor/tensor_store.h"
#include "vk/device.h"
#include "vk/recorder.h"

namespace walsh::test {

/// The process's device: WALSH_DEVICE, or the first one; without the features that WALSH_DISABLE names.
vk::Device& device();

struct Tensors : TensorStore {
  Tensors() : TensorStore(test::device()) {}
};

inline std::vector<float> read(const Tensor& tensor) { return device().download<float>(tensor); }

/// Records, runs once and waits.
template <typename Record>
void run(Record&& record) {
  vk::run_once(device(), std::forward<Record>(record));
}

}  // namespace walsh::test
