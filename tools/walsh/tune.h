// Kernel choices by measurement: `walsh tune`, and runs with deterministic-plan=false.
#pragma once

#include <memory>

#include "cli.h"
#include "vk/device.h"

namespace walsh {

/// The device of a run: with the choices that `options.tuning` names; without any, and where
/// options.deterministic_plan is off, with those measured on it, now if never before, which `options.tuning`
/// then names.
std::unique_ptr<vk::Device> open_device_of(const Globals& globals, RunOptions& options);

}  // namespace walsh
