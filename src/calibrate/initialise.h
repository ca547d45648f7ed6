// The start of a method on a whole model, projection by projection: the quantised base, and where the method
// asks for them the original weight and the Gram matrix of its inputs.
#pragma once

#include <cstdint>
#include <vector>

#include "calibrate/quantized_model_writer.h"
#include "methods/method.h"
#include "model/weights.h"
#include "vk/device.h"

namespace walsh {

/// Gives every target its start. `original`: null where the weights before quantisation are not known;
/// `sequences`: calibration tokens of equal length, needed only where `method` starts from Gram matrices.
/// The device holds one layer at a time. With `recoded` the method may choose codes of the base anew
/// (Method::recodes), and every quantised layer is written there as the start leaves it.
void start_method(vk::Device& device, Method& method, const WeightSource* original, const WeightSource& base,
                  std::vector<std::vector<std::uint32_t>> sequences, QuantizedModelWriter* recoded = nullptr);

/// Reads the quantised layers of `base`, for Method::read.
ReadBase base_reader(const WeightSource& base);

}  // namespace walsh
