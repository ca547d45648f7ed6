// Choices of kernels that were measured on a device (`walsh tune`), as text and on disk by device, driver and
// kernels. They change which kernel runs, not what it computes beyond rounding.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "vk/device_info.h"

namespace walsh::vk {

/// "lane_by_lane=0,large_tile_results=8388608": every choice that is measured.
std::string to_text(const Tuning& tuning);

/// Sets the choices that `text` names; refuses a name or a value that there is not.
void set_tuning(Tuning& tuning, std::string_view text);

/// The file of this device; empty where no cache folder is known.
std::filesystem::path tuned_path(const DeviceInfo& info);

/// The choices measured on this device with this driver and these kernels; none where that has not been done.
std::optional<std::string> read_tuned(const DeviceInfo& info);

/// Keeps `text` with what was measured. Does nothing where no cache folder is known.
void write_tuned(const DeviceInfo& info, std::string_view text, const OrderedJson& measured);

/// A choice that depends on more than the device: `choice` is what `remember` kept for this `question` on the
/// same device, with the same driver and kernels; none where it was never asked.
std::optional<std::string> recall(const DeviceInfo& info, const std::string& question);
void remember(const DeviceInfo& info, const std::string& question, std::string_view choice);

}  // namespace walsh::vk
