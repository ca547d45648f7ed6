#include "train/precision.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "base/error.h"
#include "base/half.h"
#include "base/philox.h"
#include "ops/attention.h"
#include "ops/matmul.h"
#include "ops/quant_matmul.h"
#include "vk/device.h"
#include "vk/matrices.h"
#include "vk/tuned.h"

namespace walsh {
namespace {

/// Whether `result` is the same, bit for bit, with operands of 16 bits and of 32.
bool same(vk::Device& device, const Tensor& result, vk::Precision operands,
          const std::function<void(Recorder&)>& record) {
  const auto run = [&](vk::Precision precision) {
    vk::run_once(
        device,
        [&](Recorder& rec) {
          rec.clear(result);  // the weight's gradient is added to what is there
          record(rec);
        },
        precision);
    return device.download<float>(result);
  };
  return run(operands) == run(vk::Precision::fp32);
}

void fill_with_integers(vk::Device& device, Philox& random, std::initializer_list<const Tensor*> tensors) {
  for (const Tensor* tensor : tensors) {
    std::vector<float> values(tensor->shape.elements());
    for (float& value : values) value = static_cast<float>(random.below(7)) - 3;
    device.upload(*tensor, values);
  }
}

class IntegerProducts {
 public:
  explicit IntegerProducts(vk::Device& device) : device_(device) {
    arena_.commit(device);
    fill_with_integers(device, random_, {&x_, &dy_, &w_});
    std::vector<std::uint32_t> codes(q_.codes.shape.elements());
    for (std::uint32_t& word : codes) word = random_.next();
    device.upload(q_.codes, codes);
    device.upload(q_.grid,
                  std::vector<std::uint32_t>(q_.grid.shape.elements(), grid_word(float_to_f16(1.0f), 8)));
  }

  bool same(vk::Precision operands) {
    const auto same = [&](const Tensor& result, const std::function<void(Recorder&)>& record) {
      return walsh::same(device_, result, operands, record);
    };
    return same(y_, [&](Recorder& rec) { matmul_forward(rec, y_, x_, w_); }) &&
           same(dx_, [&](Recorder& rec) { matmul_backward(rec, dx_, dy_, w_); }) &&
           same(dw_, [&](Recorder& rec) { matmul_backward_weight(rec, dw_, dy_, x_); }) &&
           same(y_, [&](Recorder& rec) { quant_matmul_forward(rec, y_, x_, q_); }) &&
           same(dx_, [&](Recorder& rec) { quant_matmul_backward(rec, dx_, dy_, q_); });
  }

 private:
  static constexpr std::uint32_t tokens = 264, inputs = 320, outputs = 392;  // tiles hang over every edge

  vk::Device& device_;
  vk::Arena arena_{"trial of matrix units"};
  Philox random_{1};
  Tensor x_ = reserve(arena_, DType::f32, {tokens, inputs}),
         dy_ = reserve(arena_, DType::f32, {tokens, outputs}),
         w_ = reserve(arena_, DType::f32, {outputs, inputs}),
         y_ = reserve(arena_, DType::f32, {tokens, outputs}),
         dx_ = reserve(arena_, DType::f32, {tokens, inputs}),
         dw_ = reserve(arena_, DType::f32, {outputs, inputs});
  QuantizedTensor q_ = reserve_quantized(arena_, outputs, inputs, 4, 64);
};

/// Attention of queries that see one key each, so that every probability is 1; with y = 0 in the backward ds
/// is dy·v, an integer too.
class IntegerAttention {
 public:
  explicit IntegerAttention(vk::Device& device) : device_(device) {
    arena_.commit(device);
    fill_with_integers(device, random_, {&q_, &k_, &v_, &dy_});
    device.upload(zero_, std::vector<float>(zero_.shape.elements()));
    std::vector<std::uint32_t> begin(queries), end(queries);
    for (std::uint32_t t = 0; t < queries; ++t) end[t] = 1 + (begin[t] = t * 7 % keys);
    device.upload(ranges_.key_begin, begin);
    device.upload(ranges_.key_end, end);
    device.upload(ranges_.query_begin, std::vector<std::uint32_t>(keys, 0));
    device.upload(ranges_.query_end, std::vector<std::uint32_t>(keys, queries));
  }

  bool same(vk::Precision operands) {
    return std::ranges::all_of(std::array{&y_, &lse_, &dq_, &dk_, &dv_}, [&](const Tensor* result) {
      return walsh::same(device_, *result, operands, [&](Recorder& rec) {
        attention_forward(rec, y_, lse_, q_, k_, v_, ranges_, 1);
        attention_backward(rec, dq_, dk_, dv_, delta_, dy_, zero_, lse_, q_, k_, v_, ranges_, 1);
      });
    });
  }

 private:
  static constexpr std::uint32_t queries = 88, keys = 83, heads = 6, kv_heads = 2, width = 64;

  vk::Device& device_;
  vk::Arena arena_{"trial of attention on matrix units"};
  Philox random_{2};
  Tensor of_queries() { return reserve(arena_, DType::f32, {queries, heads, width}); }
  Tensor of_keys() { return reserve(arena_, DType::f32, {keys, kv_heads, width}); }
  Tensor of_rows() { return reserve(arena_, DType::f32, {queries, heads}); }
  Tensor q_ = of_queries(), dq_ = of_queries(), y_ = of_queries(), dy_ = of_queries(), zero_ = of_queries(),
         k_ = of_keys(), v_ = of_keys(), dk_ = of_keys(), dv_ = of_keys(), lse_ = of_rows(),
         delta_ = of_rows();
  AttentionRanges ranges_{reserve(arena_, DType::u32, {queries}), reserve(arena_, DType::u32, {queries}),
                          reserve(arena_, DType::u32, {keys}), reserve(arena_, DType::u32, {keys})};
};

}  // namespace

vk::Precision automatic_precision(const vk::DeviceInfo& device) {
  if (device.type == vk::DeviceType::cpu) return vk::Precision::fp32;
  for (const vk::Precision precision : {vk::Precision::bf16, vk::Precision::fp16})
    if (vk::matrix_shape(device, precision)) return precision;
  return vk::Precision::fp32;
}

bool multiplies_exactly(const vk::DeviceInfo& device, vk::Precision operands) {
  vk::DeviceInfo trial = device;
  return std::ranges::all_of(
      std::array{std::numeric_limits<std::uint64_t>::max(), std::uint64_t{0}}, [&](std::uint64_t large_from) {
        trial.tuning.large_tile_results = large_from;
        vk::Device opened(trial);  // its memory is not the run's
        return IntegerProducts(opened).same(operands) && IntegerAttention(opened).same(operands);
      });
}

ChosenPrecision choose_precision(const vk::DeviceInfo& device, const std::string& option) {
  require(option == "auto" || option == "fp32" || option == "fp16" || option == "bf16",
          "precision: found \"{}\", expected one of: auto, fp32, fp16, bf16", option);
  if (option == "fp32") return {};
  if (option == "auto") {
    const vk::Precision operands = automatic_precision(device);
    if (operands == vk::Precision::fp32) return {};
    // Tried once on a device with its driver and these kernels, not at every start.
    const std::string question = fmt::format("products of integers in {} are exact", vk::name_of(operands));
    auto exact = vk::recall(device, question);
    if (!exact) {
      exact = multiplies_exactly(device, operands) ? "yes" : "no";
      vk::remember(device, question, *exact);
    }
    if (*exact == "yes")
      return {operands, fmt::format("precision: operands of products are {}, sums fp32; --precision fp32 "
                                    "rounds less and takes longer",
                                    vk::name_of(operands))};
    return {vk::Precision::fp32,
            fmt::format("precision: products of {} matrices are wrong on this device, runs in fp32; walsh "
                        "doctor says more",
                        vk::name_of(operands))};
  }
  const vk::Precision asked = option == "fp16" ? vk::Precision::fp16 : vk::Precision::bf16;
  if (vk::matrix_shape(device, asked)) return {asked, {}};
  return {vk::Precision::fp32, fmt::format("precision: {} was asked for, runs in fp32: {}", option,
                                           vk::why_no_matrices(device, asked))};
}

}  // namespace walsh
