#include "methods/parameter_files.h"

#include <array>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "io/adapter.h"
#include "io/safetensors.h"

namespace walsh {
namespace {

constexpr int version = 1;

std::vector<std::uint64_t> extents(const Shape& shape) {
  std::vector<std::uint64_t> list;
  for (std::size_t i = 0; i < shape.rank(); ++i) list.push_back(shape[i]);
  return list;
}

OrderedJson settings(const MethodSetup& setup) {
  return {{"format", "walsh-" + setup.method},
          {"version", version},
          {"rank", setup.rank},
          {"alpha", setup.alpha},
          {"bits", setup.bits},
          {"group_size", setup.group_size},
          {"symmetric", setup.symmetric},
          {"targets", setup.targets},
          {"settings", setup.set}};
}

}  // namespace

void save_parameters(const std::filesystem::path& folder, vk::Device& device, const MethodSetup& setup,
                     const std::map<std::string, std::string>& bases) {
  std::vector<TensorInfo> tensors;
  for (const Parameter& p : setup.parameters.all())
    tensors.push_back({p.name, DType::f32, extents(p.value.shape)});
  SafetensorsWriter writer(folder / "adapter_model.safetensors", tensors,
                           {{"format", "walsh-" + setup.method}});
  for (const Parameter& p : setup.parameters.all()) {
    const auto values = device.download<float>(p.value);
    writer.append(p.name, std::as_bytes(std::span(values)));
  }
  writer.publish();
  OrderedJson json = settings(setup);
  json["base"] = bases;
  write_file(folder / "adapter_config.json", json.dump(2) + "\n");
}

std::map<std::string, std::string> read_parameters(const std::filesystem::path& folder,
                                                   const MethodSetup& setup, const ReadBase& base) {
  const auto path = folder / "adapter_config.json";
  const std::string source = path.string();
  const Json json = read_json(path);
  const OrderedJson expected = settings(setup);
  for (const auto& [key, value] : expected.items()) {
    const Json found = json_at<Json>(json, key.c_str(), source);
    require(found.dump() == Json(value).dump(), "{}: \"{}\" is {}, the run's is {}", source, key,
            found.dump().substr(0, 60), value.dump());
  }
  const Safetensors tensors = Safetensors::open(folder / "adapter_model.safetensors");
  require(tensors.names().size() == setup.parameters.all().size(), "{}: {} tensors, expected {}",
          tensors.path().string(), tensors.names().size(), setup.parameters.all().size());
  for (const Parameter& p : setup.parameters.all()) {
    const TensorView& view = tensors.at(p.name);
    require_shape(view, extents(p.value.shape));
    setup.parameters.start(p.name, to_values<float>(view, DType::f32));
  }
  auto bases = json_at<std::map<std::string, std::string>>(json, "base", source);
  for (const auto& [module, before] : bases) {
    const std::string found = fingerprint(base(module));
    require(
        found == before,
        "{}: made for another base: {} has fingerprint {}, expected {}; use the base that it was trained on",
        source, module, found, before);
  }
  return bases;
}

}  // namespace walsh
