#include "methods/full.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "io/model_folder.h"
#include "methods/parameter_files.h"
#include "ops/matmul.h"

namespace walsh {
namespace {

using vk::Recorder;

class FullLinear final : public Linear {
 public:
  using Linear::Linear;

  void forward(Recorder& rec, std::span<const Tensor> y, const Tensor& x) override {
    forward_base(rec, y, x);
  }
  void backward(Recorder& rec, const Tensor& dx, std::span<const Tensor> dy, const Tensor& x) override {
    if (dx) backward_base(rec, dx, dy);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      matmul_backward_weight(rec, weights_[i].dense.gradient, dy[i], x);
      if (weights_[i].bias) matmul_backward_bias(rec, weights_[i].bias.gradient, dy[i]);
    }
  }
};

}  // namespace

Weight FullMethod::reserve_weight(vk::Arena&, const std::string& name, DType, const Shape& shape) {
  const Parameter p = setup_.parameters.add(name, shape);
  return {p.value, p.gradient};
}

std::unique_ptr<Linear> FullMethod::make_linear(std::vector<BaseWeight> weights) {
  for (const BaseWeight& w : weights)
    require(!w.is_quantized(), "{}: quantised, and full trains an unquantised model", w.name);
  return std::make_unique<FullLinear>(std::move(weights));
}

void FullMethod::save(const std::filesystem::path& folder, vk::Device& device) const {
  write_parameters(folder / "model.safetensors", device, setup_.parameters, {{"format", "pt"}});
  copy_companions(setup_.model, folder);
  OrderedJson config = OrderedJson::parse(setup_.config());
  config.erase("dtype");
  config["torch_dtype"] = "float32";
  write_file(folder / "config.json", config.dump(2) + "\n");
  write_file(folder / "adapter_config.json",
             OrderedJson{{"format", "walsh-full"}, {"version", 1}}.dump(2) + "\n");
}

void FullMethod::read(const std::filesystem::path& folder, const ReadBase&) {
  const auto path = folder / "adapter_config.json";
  const auto format = json_or<std::string>(read_json(path), "format", "no format", path.string());
  require(format == "walsh-full", "{}: format \"{}\", expected \"walsh-full\"", path.string(), format);
  read_parameters(folder / "model.safetensors", setup_.parameters);
}

// The rate usual for fine-tuning every weight with AdamW; norms and embeddings are trained too, hence no
// decay.
const MethodEntry full_method{.name = "full",
                              .summary = "every weight of an unquantised model",
                              .base = BaseRule::dense,
                              .defaults = {.rank = 0,
                                           .alpha_per_rank = 0,
                                           .learning_rate = 2e-5,
                                           .weight_decay = 0,
                                           .warmup = 0.03,
                                           .epochs = 3},
                              .check_option = nullptr,
                              .make = make_method<FullMethod>};

}  // namespace walsh
