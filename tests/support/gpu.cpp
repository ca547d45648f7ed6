#include "tests/support/gpu.h"

#include <cstdlib>
#include <memory>

namespace walsh::test {

vk::Device& device() {
  static const auto the_device = [] {
    const char *which = std::getenv("WALSH_DEVICE"), *disabled = std::getenv("WALSH_DISABLE");
    return std::make_unique<vk::Device>(vk::choose_device(which ? which : "", disabled ? disabled : ""));
  }();
  return *the_device;
}

}  // namespace walsh::test
