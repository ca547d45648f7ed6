#include "methods/lora.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/philox.h"
#include "io/safetensors.h"
#include "methods/cloq.h"
#include "ops/matmul.h"
#include "ops/scale.h"

namespace walsh {
namespace {

using vk::Recorder;

class LoraLinear final : public Linear {
 public:
  /// `adapters[i]`: index of weight i's adapter in the method, or none.
  LoraLinear(std::vector<BaseWeight> weights, const LoraMethod& method,
             std::vector<std::optional<std::size_t>> adapters)
      : Linear(std::move(weights)), method_(method), adapters_(std::move(adapters)) {}

  void forward(Recorder& rec, std::span<const Tensor> y, const Tensor& x) override {
    forward_base(rec, y, x);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const LoraAdapter* a = adapter(i);
      if (a) matmul_backward(rec, y[i], inner(rec, *a, x), a->b_transposed.value, true);  // += h·Bᵀ
    }
  }

  void backward(Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor& x) override {
    if (dx) backward_base(rec, dx, dy);
    const Tensor dh = method_.d_inner().rows(0, x.shape[0]);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const LoraAdapter* a = adapter(i);
      if (!a) continue;
      matmul_backward_weight(rec, a->b_transposed.gradient, inner(rec, *a, x), dy[i]);  // hᵀ·dy
      matmul_forward(rec, dh, dy[i], a->b_transposed.value);                            // dy·B
      multiply_gamma(rec, dh);
      matmul_backward_weight(rec, a->a.gradient, dh, x);
      if (dx) matmul_backward(rec, dx, dh, a->a.value, true);
    }
  }

 private:
  const LoraAdapter* adapter(std::size_t i) const {
    return adapters_[i] ? &method_.adapters()[*adapters_[i]] : nullptr;
  }
  Tensor inner(Recorder& rec, const LoraAdapter& a, const Tensor& x) const {
    const Tensor h = method_.inner().rows(0, x.shape[0]);
    matmul_forward(rec, h, x, a.a.value);
    multiply_gamma(rec, h);
    return h;
  }
  void multiply_gamma(Recorder& rec, const Tensor& h) const {
    if (method_.gamma() != 1.0f) scale(rec, h, h, method_.gamma());
  }

  const LoraMethod& method_;
  std::vector<std::optional<std::size_t>> adapters_;
};

void check_option(std::string_view key, std::string_view value) {
  require(key == "init", "lora.{}: no such option; known is init", key);
  require(value == "zero" || value == "cloq", "lora.init={}: expected zero or cloq", value);
}

std::vector<float> transposed(const std::vector<float>& x, std::size_t rows, std::size_t columns) {
  std::vector<float> y(x.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) y[j * rows + i] = x[i * columns + j];
  }
  return y;
}

}  // namespace

LoraMethod::LoraMethod(const MethodSetup& setup)
    : Method(setup), cloq_(setup.set.contains("lora.init") && setup.set.at("lora.init") == "cloq") {
  require(!cloq_ || setup.bits > 0, "lora.init=cloq corrects a quantised base; give --bits, or leave it out");
  inner_ = reserve(setup.arena, DType::f32, {setup.tokens, setup.rank});
  d_inner_ = reserve(setup.arena, DType::f32, {setup.tokens, setup.rank});
}

std::unique_ptr<Linear> LoraMethod::make_linear(std::vector<BaseWeight> weights) {
  std::vector<std::optional<std::size_t>> indices;
  for (const BaseWeight& w : weights) {
    if (!is_target(setup_.targets, w.name)) {
      indices.emplace_back();
      continue;
    }
    indices.emplace_back(adapters_.size());
    adapters_.push_back({.name = w.name,
                         .a = setup_.parameters.add(w.name + ".lora_A", {setup_.rank, w.columns}),
                         .b_transposed = setup_.parameters.add(w.name + ".lora_B", {setup_.rank, w.rows})});
  }
  return std::make_unique<LoraLinear>(std::move(weights), *this, std::move(indices));
}

// B = 0 and A uniform within ±1/√n, as PEFT begins; or CLoQ's fit.
void LoraMethod::start_projection(const ProjectionStart& p) {
  if (cloq_ && !p.gram.empty()) {
    CloqStart fit = cloq(p, setup_.rank);
    if (fit.error_before > 0)
      log_error_left_ += 0.5 * std::log(std::max(fit.error / fit.error_before, 1e-300));
    ++fitted_;
    for (float& value : fit.a) value /= gamma();
    setup_.parameters.start(p.name + ".lora_A", std::move(fit.a));
    setup_.parameters.start(p.name + ".lora_B", std::move(fit.b_transposed));
    return;
  }
  Philox random(setup_.seed, p.index);
  std::vector<float> a(std::size_t{setup_.rank} * p.columns);
  const float bound = 1.0f / std::sqrt(static_cast<float>(p.columns));
  for (float& value : a) value = (2 * random.uniform() - 1) * bound;
  setup_.parameters.start(p.name + ".lora_A", std::move(a));
}

std::string LoraMethod::describe_start() const {
  if (fitted_ > 0)
    return fmt::format("adapter: rank {}, output error left: {:.3f} (geometric mean of {} layers)",
                       setup_.rank, std::exp(log_error_left_ / static_cast<double>(fitted_)), fitted_);
  return cloq_ ? "adapter: the original weights are not known, so it starts from zero" : "";
}

// The names and the configuration that PEFT's LoraConfig and PeftModel.from_pretrained read.
void LoraMethod::save(const std::filesystem::path& folder, vk::Device& device) const {
  std::vector<TensorInfo> tensors;
  const auto key = [](const LoraAdapter& a, const char* part) {
    return "base_model.model." + a.name + "." + part + ".weight";
  };
  for (const LoraAdapter& a : adapters_) {
    const std::uint64_t n = a.a.value.shape[1], m = a.b_transposed.value.shape[1];
    tensors.push_back({key(a, "lora_A"), DType::f32, {setup_.rank, n}});
    tensors.push_back({key(a, "lora_B"), DType::f32, {m, setup_.rank}});
  }
  SafetensorsWriter writer(folder / "adapter_model.safetensors", tensors, {{"format", "pt"}});
  for (const LoraAdapter& a : adapters_) {
    const auto values = device.download<float>(a.a.value);
    const auto b =
        transposed(device.download<float>(a.b_transposed.value), setup_.rank, a.b_transposed.value.shape[1]);
    writer.append(key(a, "lora_A"), std::as_bytes(std::span(values)));
    writer.append(key(a, "lora_B"), std::as_bytes(std::span(b)));
  }
  writer.publish();
  OrderedJson modules = OrderedJson::array();
  for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}) {
    if (is_target(setup_.targets, name)) modules.push_back(name);
  }
  const OrderedJson json = {{"peft_type", "LORA"},
                            {"task_type", "CAUSAL_LM"},
                            {"base_model_name_or_path", setup_.model},
                            {"r", setup_.rank},
                            {"lora_alpha", setup_.alpha},
                            {"lora_dropout", 0.0},
                            {"bias", "none"},
                            {"fan_in_fan_out", false},
                            {"inference_mode", true},
                            {"init_lora_weights", true},
                            {"modules_to_save", nullptr},
                            {"target_modules", modules}};
  write_file(folder / "adapter_config.json", json.dump(2) + "\n");
}

void LoraMethod::read(const std::filesystem::path& folder, const ReadBase&) {
  const auto path = folder / "adapter_config.json";
  const Json json = read_json(path);
  const auto type = json_at<std::string>(json, "peft_type", path.string());
  const auto rank = json_at<std::uint32_t>(json, "r", path.string());
  const auto alpha = json_at<double>(json, "lora_alpha", path.string());
  require(type == "LORA" && rank == setup_.rank && alpha == setup_.alpha,
          "{}: {} of rank {} and alpha {}, the run's is LORA of rank {} and alpha {}", path.string(), type,
          rank, alpha, setup_.rank, setup_.alpha);
  const Safetensors tensors = Safetensors::open(folder / "adapter_model.safetensors");
  require(tensors.names().size() == 2 * adapters_.size(), "{}: {} tensors, expected 2 for each of {} layers",
          tensors.path().string(), tensors.names().size(), adapters_.size());
  for (const LoraAdapter& adapter : adapters_) {
    const std::uint64_t r = setup_.rank, n = adapter.a.value.shape[1],
                        m = adapter.b_transposed.value.shape[1];
    const std::string prefix = "base_model.model." + adapter.name;
    const TensorView &a = tensors.at(prefix + ".lora_A.weight"), &b = tensors.at(prefix + ".lora_B.weight");
    require_shape(a, std::array{r, n});
    require_shape(b, std::array{m, r});
    setup_.parameters.start(adapter.a.name, to_floats(a));
    setup_.parameters.start(adapter.b_transposed.name, transposed(to_floats(b), m, r));
  }
}

// Rank of QWHA's comparison (arXiv 2509.17428), rate of its CLoQ rows on GSM8k.
const MethodEntry lora_method{.name = "lora",
                              .summary = "low-rank adapter, on any base; --set lora.init=cloq",
                              .base = BaseRule::any,
                              .defaults = {.rank = 64,
                                           .alpha_per_rank = 1,
                                           .learning_rate = 1e-4,
                                           .weight_decay = 0,
                                           .warmup = 0.03,
                                           .epochs = 3},
                              .check_option = check_option,
                              .make = make_method<LoraMethod>,
                              .settings =
                                  [] {
                                    return std::vector<std::pair<std::string, std::string>>{{"init", "zero"}};
                                  },
                              .offloads = true};

}  // namespace walsh
