#include "train/adapter_files.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "io/adapter.h"

namespace walsh {

void save_adapter(const std::filesystem::path& folder, vk::Device& device, const QwhaMethod& qwha,
                  const WeightSource& base, std::uint32_t rank) {
  Adapter adapter{
      .rank = rank, .scale = qwha.options().scale, .bits = base.format().bits, .group_size = 0, .layers = {}};
  if (base.format().group_size > 0) adapter.group_size = static_cast<std::uint32_t>(base.format().group_size);
  for (const QwhaAdapter& a : qwha.adapters()) {
    const HadamardLayout& layout = qwha.transform(a.support.columns).layout();
    AdapterLayer layer{.name = a.name,
                       .rows = a.support.rows,
                       .columns = a.support.columns,
                       .bases = layout.bases,
                       .m2 = layout.m2,
                       .base = fingerprint(base.quantized(a.name, a.support.rows, a.support.columns)),
                       .row_ptr = device.download<std::uint32_t>(a.support.row_ptr),
                       .col = device.download<std::uint16_t>(a.support.columns_of),
                       .values = device.download<float>(a.values.value)};
    layer.col.resize(a.support.nonzeros);  // the device pads to whole words
    adapter.layers.push_back(std::move(layer));
  }
  std::filesystem::create_directories(folder);
  write_adapter(folder, adapter);
}

void load_adapter(const std::filesystem::path& folder, vk::Device& device, QwhaMethod& qwha,
                  const WeightSource& base) {
  const Adapter adapter = read_adapter(folder);
  for (const AdapterLayer& layer : adapter.layers) {
    require_base(layer, base.quantized(layer.name, layer.rows, layer.columns), folder.string());
    qwha.set(device, layer.name, {layer.rows, layer.columns, layer.row_ptr, layer.col, layer.values});
  }
}

AdapterShape adapter_shape(const std::filesystem::path& folder) {
  const Adapter adapter = read_adapter(folder);
  std::set<std::string> targets;
  std::map<std::string, std::uint32_t> budgets;
  for (const AdapterLayer& layer : adapter.layers) {
    const std::string last = layer.name.substr(layer.name.rfind('.') + 1);
    budgets[layer.name] = static_cast<std::uint32_t>(layer.values.size());
    targets.insert(last.substr(0, last.rfind("_proj")));
  }
  return {adapter.rank, fmt::format("{}", fmt::join(targets, ",")), std::move(budgets)};
}

}  // namespace walsh
