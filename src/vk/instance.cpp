#include "vk/instance.h"

#include <volk.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <span>
#include <string_view>

#include "vk/result.h"

namespace walsh::vk {
namespace {

constexpr const char* validation_layer = "VK_LAYER_KHRONOS_validation";

std::mutex message_mutex;
std::vector<std::string> messages;

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT,
                                          VkDebugUtilsMessageTypeFlagsEXT,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void*) {
  const std::lock_guard lock(message_mutex);
  std::fprintf(stderr, "validation: %s\n", data->pMessage);
  messages.emplace_back(data->pMessage);
  return VK_FALSE;
}

std::string_view requested() {
  const char* value = std::getenv("WALSH_VALIDATION");
  const std::string_view text = value && std::string_view(value) != "0" ? value : "";
  require(
      text.empty() || text == "1" || text == "gpu-assisted",
      "WALSH_VALIDATION={}: expected 1 (core and synchronisation checks) or gpu-assisted (core, and every "
      "access to a buffer checked by the kernels)",
      text);
  return text;
}

bool gpu_assisted() { return requested() == "gpu-assisted"; }

bool layer_present() {
  std::uint32_t count = 0;
  vkEnumerateInstanceLayerProperties(&count, nullptr);
  std::vector<VkLayerProperties> layers(count);
  vkEnumerateInstanceLayerProperties(&count, layers.data());
  for (const auto& layer : layers) {
    if (std::string_view(layer.layerName) == validation_layer) return true;
  }
  return false;
}

VkInstance create() {
  require(volkInitialize() == VK_SUCCESS,
          "no Vulkan loader found (libvulkan.so.1, on Windows vulkan-1.dll); install your distribution's "
          "Vulkan loader and a driver, "
          "on Debian: "
          "apt-get install libvulkan1 mesa-vulkan-drivers");
  VkApplicationInfo application{.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                .pNext = nullptr,
                                .pApplicationName = "walsh",
                                .applicationVersion = 1,
                                .pEngineName = "walsh",
                                .engineVersion = 1,
                                .apiVersion = VK_API_VERSION_1_3};
  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;

  // Of the two, one at a time: the kernels that check themselves are slow enough.
  const VkValidationFeatureEnableEXT synchronisation[] = {
      VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
  const VkValidationFeatureEnableEXT assisted[] = {
      VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_EXT,
      VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_RESERVE_BINDING_SLOT_EXT};
  const std::span<const VkValidationFeatureEnableEXT> enables =
      gpu_assisted() ? std::span<const VkValidationFeatureEnableEXT>(assisted) : synchronisation;
  VkValidationFeaturesEXT features{};
  features.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT;
  features.enabledValidationFeatureCount = static_cast<std::uint32_t>(enables.size());
  features.pEnabledValidationFeatures = enables.data();
  VkDebugUtilsMessengerCreateInfoEXT messenger{};
  messenger.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
  messenger.messageSeverity =
      VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  // Its warnings say which features the layer turns on for itself.
  if (gpu_assisted()) messenger.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  messenger.messageType =
      VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT;
  messenger.pfnUserCallback = on_message;
  const char* extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
  if (validation_enabled()) {
    require(layer_present(),
            "WALSH_VALIDATION is set, but {} is not installed; on Debian: apt-get install "
            "vulkan-validationlayers",
            validation_layer);
    features.pNext = &messenger;
    info.pNext = &features;
    info.enabledLayerCount = 1;
    info.ppEnabledLayerNames = &validation_layer;
    info.enabledExtensionCount = 1;
    info.ppEnabledExtensionNames = extensions;
  }
  VkInstance result = nullptr;
  const VkResult created = vkCreateInstance(&info, nullptr, &result);
  require(created == VK_SUCCESS,
          "no Vulkan 1.3 instance can be made ({}); update the Vulkan loader and driver",
          result_name(created));
  volkLoadInstance(result);
  if (validation_enabled()) {
    VkDebugUtilsMessengerEXT handle = nullptr;
    check(vkCreateDebugUtilsMessengerEXT(result, &messenger, nullptr, &handle),
          "vkCreateDebugUtilsMessengerEXT");
    std::fprintf(stderr, "validation: core, %s\n", gpu_assisted() ? "gpu-assisted" : "sync");
  }
  return result;
}

}  // namespace

VkInstance instance() {
  static const VkInstance the_instance = create();
  return the_instance;
}

bool validation_enabled() { return !requested().empty(); }

std::vector<std::string> validation_messages() {
  const std::lock_guard lock(message_mutex);
  return messages;
}

}  // namespace walsh::vk
