// Reserving and loading the weights of a layer.
#include "model/layer.h"

#include <algorithm>

namespace walsh {
namespace {

BaseWeight reserve_linear(vk::Arena& arena, const WeightFormat& format, Method& method, std::string name,
                          std::uint32_t rows, std::uint32_t columns, bool bias) {
  BaseWeight weight{
      .name = std::move(name), .rows = rows, .columns = columns, .dense = {}, .quantized = {}, .bias = {}};
  if (format.bits > 0) {
    const std::uint32_t group =
        format.group_size < 0 ? columns : static_cast<std::uint32_t>(format.group_size);
    require(group > 0 && columns % group == 0,
            "{}: group size {} does not divide its width {}; choose a divisor, or -1 for per channel",
            weight.name, group, columns);
    weight.quantized = reserve_quantized(arena, rows, columns, format.bits, group, format.offset);
    if (format.act_order) {
      weight.input_of = reserve(arena, DType::u32, {columns});
      weight.position = reserve(arena, DType::u32, {columns});
    }
  } else {
    weight.dense = method.reserve_weight(arena, weight.name + ".weight", format.dense, {rows, columns});
  }
  if (bias) weight.bias = method.reserve_weight(arena, weight.name + ".bias", DType::f32, {rows});
  return weight;
}

void load_quantized(vk::Device& device, const BaseWeight& weight, const QuantizedMatrix& matrix) {
  upload(device, weight.quantized, matrix);
  if (!weight.input_of) {
    require(matrix.position.empty(), "{}: its groups are not in the order of its inputs", weight.name);
    return;
  }
  std::vector<std::uint32_t> input_of(matrix.columns), position(matrix.columns);
  for (std::uint32_t j = 0; j < matrix.columns; ++j) {
    position[j] = matrix.stored_column(j);
    input_of[position[j]] = j;
  }
  device.upload(weight.input_of, input_of);
  device.upload(weight.position, position);
}

}  // namespace

LayerWeights reserve_layer(vk::Arena& arena, const ModelConfig& c, const WeightFormat& format,
                           std::uint32_t index, Method& method) {
  const auto norm = [&](const char* name, std::uint64_t width) {
    return method.reserve_weight(arena, layer_prefix(index) + name, DType::f32, {width});
  };
  const auto weight = [&](const char* name, std::uint32_t rows, std::uint32_t columns, bool bias) {
    return reserve_linear(arena, format, method, layer_prefix(index) + name, rows, columns, bias);
  };
  LayerWeights layer;
  layer.windowed = c.window[index] > 0;
  layer.attention_norm = norm("input_layernorm.weight", c.hidden);
  layer.mlp_norm = norm("post_attention_layernorm.weight", c.hidden);
  if (c.qk_norm) {
    layer.q_norm = norm("self_attn.q_norm.weight", c.head_dim);
    layer.k_norm = norm("self_attn.k_norm.weight", c.head_dim);
  }
  layer.qkv = method.make_linear({weight("self_attn.q_proj", c.query_width(), c.hidden, c.qkv_bias),
                                  weight("self_attn.k_proj", c.kv_width(), c.hidden, c.qkv_bias),
                                  weight("self_attn.v_proj", c.kv_width(), c.hidden, c.qkv_bias)});
  layer.o = method.make_linear({weight("self_attn.o_proj", c.hidden, c.query_width(), c.output_bias)});
  layer.gate_up = method.make_linear({weight("mlp.gate_proj", c.intermediate, c.hidden, c.mlp_bias),
                                      weight("mlp.up_proj", c.intermediate, c.hidden, c.mlp_bias)});
  layer.down = method.make_linear({weight("mlp.down_proj", c.hidden, c.intermediate, c.mlp_bias)});
  return layer;
}

void load_dense(vk::Device& device, const Tensor& tensor, const WeightSource& source,
                const std::string& name) {
  const auto bytes = source.read(find_weight(source.config(), name), tensor.dtype);
  device.upload(tensor, bytes.data(), bytes.size());
}

void load_layer(vk::Device& device, const LayerWeights& layer, const WeightSource& source,
                std::uint32_t index) {
  const std::string prefix = layer_prefix(index);
  load_dense(device, layer.attention_norm, source, prefix + "input_layernorm.weight");
  load_dense(device, layer.mlp_norm, source, prefix + "post_attention_layernorm.weight");
  if (layer.q_norm) {
    load_dense(device, layer.q_norm, source, prefix + "self_attn.q_norm.weight");
    load_dense(device, layer.k_norm, source, prefix + "self_attn.k_norm.weight");
  }
  for (Linear* linear : {layer.qkv.get(), layer.o.get(), layer.gate_up.get(), layer.down.get()}) {
    for (std::size_t i = 0; i < linear->weights().size(); ++i) {
      const BaseWeight& weight = linear->weights()[i];
      if (weight.is_quantized()) {
        load_quantized(device, weight, source.quantized(weight.name, weight.rows, weight.columns));
      } else if (weight.dense) {
        load_dense(device, weight.dense, source, weight.name + ".weight");
      } else {  // the method's own form of it
        linear->load(device, i, read_floats(source, find_weight(source.config(), weight.name + ".weight")));
      }
      if (weight.bias) load_dense(device, weight.bias, source, weight.name + ".bias");
    }
  }
}

void reserve_reordered(vk::Arena& arena, std::span<Linear* const> linears, std::uint32_t tokens) {
  std::uint32_t widest = 0;
  for (const Linear* linear : linears)
    if (linear->needs_reordered()) widest = std::max(widest, linear->weights()[0].columns);
  if (widest == 0) return;
  const Tensor scratch = reserve(arena, DType::f32, {tokens, widest});
  for (Linear* linear : linears) linear->use_reordered(scratch);
}

}  // namespace walsh
