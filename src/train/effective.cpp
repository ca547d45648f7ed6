#include "train/effective.h"

#include <xxhash.h>

#include <algorithm>

namespace walsh {
namespace {

/// What the device holds of a quantised projection, after `prepare`.
QuantizedMatrix download_matrix(vk::Device& device, const QuantizedTensor& q) {
  QuantizedMatrix matrix{.rows = q.rows,
                         .columns = q.columns,
                         .bits = q.bits,
                         .group_size = q.group_size,
                         .offset = q.offset,
                         .codes = device.download<std::uint32_t>(q.codes),
                         .grid = device.download<std::uint32_t>(q.grid)};
  matrix.symmetric = !q.offset && std::ranges::all_of(matrix.grid, [&](std::uint32_t word) {
    return word >> 16 == 1u << (q.bits - 1);
  });
  return matrix;
}

/// Columns [first, first + count) of the weights of one linear layer.
void apply_identity(vk::Device& device, Linear& linear, std::uint32_t first, std::uint32_t count,
                    std::vector<EffectiveLayer>& layers) {
  const std::uint32_t columns = layers[0].columns;
  vk::Arena arena("identity");
  const Tensor x = reserve(arena, DType::f32, {count, columns});
  std::vector<Tensor> y;
  for (const EffectiveLayer& layer : layers) y.push_back(reserve(arena, DType::f32, {count, layer.rows}));
  arena.commit(device);
  std::vector<float> identity(std::size_t{count} * columns);
  for (std::uint32_t t = 0; t < count; ++t) identity[std::size_t{t} * columns + first + t] = 1;
  device.upload(x, identity);
  vk::run_once(device, [&](vk::Recorder& rec) { linear.forward(rec, y, x); });
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto values = device.download<float>(y[i]);
    for (std::uint32_t t = 0; t < count; ++t)
      for (std::uint32_t row = 0; row < layers[i].rows; ++row)
        layers[i].weight[std::size_t{row} * columns + first + t] =
            values[std::size_t{t} * layers[i].rows + row];
  }
}

}  // namespace

std::string EffectiveLayer::hash() const {
  const XXH128_hash_t hash = XXH3_128bits(weight.data(), weight.size() * sizeof(float));
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

void visit_layers(vk::Device& device, Session& session, std::uint32_t tokens,
                  const std::function<void(EffectiveLayer&&)>& visit) {
  vk::run_once(device, [&](vk::Recorder& rec) { session.model().prepare(rec); });
  const auto linears = session.model().linears();
  const std::size_t linears_a_layer = linears.size() / session.config().layers;
  for (std::size_t l = 0; l < linears.size(); ++l) {
    if (l % linears_a_layer == 0)
      vk::run_once(device, [&](vk::Recorder& rec) { session.model().fetch(rec, l / linears_a_layer); });
    Linear* linear = linears[l];
    const auto weights = linear->weights();
    std::vector<EffectiveLayer> layers;
    std::vector<std::vector<float>> biases;
    for (const BaseWeight& w : weights) {
      layers.push_back({w.name, w.rows, w.columns, std::vector<float>(std::size_t{w.rows} * w.columns), {}});
      biases.emplace_back();
      if (!w.bias) continue;
      const Tensor& bias = w.bias.value;
      biases.back() = device.download<float>(bias);
      device.upload(bias, std::vector<float>(w.rows));
    }
    const std::uint32_t columns = weights[0].columns;
    for (std::uint32_t first = 0; first < columns; first += tokens)
      apply_identity(device, *linear, first, std::min(tokens, columns - first), layers);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const BaseWeight& w = weights[i];
      if (w.bias) device.upload(w.bias.value, biases[i]);
      std::optional<QuantizedMatrix> codes =
          w.is_quantized() ? download_matrix(device, w.quantized) : session.method().exported(device, w.name);
      if (codes && codes->weights() == layers[i].weight) layers[i].codes = std::move(codes);
      visit(std::move(layers[i]));
    }
  }
}

}  // namespace walsh
