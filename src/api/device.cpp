#include "api/device.h"

namespace walsh {
namespace {

Device::Info describe(const vk::DeviceInfo& info) {
  return {info.index, info.name, info.driver, info.type == vk::DeviceType::cpu, info.memory_bytes};
}

}  // namespace

std::vector<Device::Info> Device::list() {
  std::vector<Info> list;
  for (const vk::DeviceInfo& info : vk::list_devices()) list.push_back(describe(info));
  return list;
}

Device::Device(const std::string& which, const std::string& disable)
    : impl_(new Impl{vk::Device(vk::choose_device(which, disable))}) {}
Device::Device(Device&&) noexcept = default;
Device& Device::operator=(Device&&) noexcept = default;
Device::~Device() = default;

Device::Info Device::info() const { return describe(impl_->device.info()); }
std::uint64_t Device::allocated_bytes() const { return impl_->device.allocated_bytes(); }

}  // namespace walsh
