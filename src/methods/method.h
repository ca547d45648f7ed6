// A fine-tuning method: a strategy over the model's linear layers. It reserves what it trains and keeps
// frozen while the model is laid out, knows where its values start, and how they are saved. The model, the
// trainer and the commands ask through this interface and never which method it is.
//
// In order:  make_linear    the model is laid out; nothing has memory yet
//            start or read  values on the host, from the base (a new run) or from files
//            upload         the arenas are committed and the base is loaded; what start or read found goes
//                           to the device
//            save           the values come back, into files
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "methods/linear.h"
#include "methods/parameters.h"
#include "tensor/quantized_matrix.h"
#include "vk/device.h"
#include "vk/memory.h"

namespace walsh {

/// What every method is made from.
struct MethodSetup {
  vk::Arena& arena;  // frozen state and scratch
  Parameters& parameters;
  std::string method{};
  std::uint32_t tokens = 0;  // the most of a pass: sizes scratch
  std::uint32_t widest = 0;  // the largest input or output width of a linear layer
  std::uint32_t rank = 0;
  double alpha = 0;        // adapters are scaled by alpha / rank
  std::uint32_t bits = 0;  // of the base; of the method's own grid where the base is dense; or 0
  int group_size = -1;     // of the same; -1: per channel
  bool symmetric = false;  // of the method's own grid
  /// What the forward rounds the scales of the method's own grid to: f16 or f32.
  DType scale_dtype = DType::f16;
  std::string targets{};                     // "q,k,v,o,gate,up,down": projections that are trained
  std::string model{};                       // name of the base model, for the adapter's files
  std::function<std::string()> config{};     // its config.json, for a method that saves a model
  std::map<std::string, std::string> set{};  // options of the method, "qwha.select" → "omp"
  std::uint64_t seed = 0;
};

/// What the start of a projection may be computed from.
enum class StartsFrom : std::uint8_t {
  base,      // the quantised base alone
  original,  // the original weight too
  gram,      // and the Gram matrix of its inputs, over calibration tokens
};

struct ProjectionStart {
  std::string name;         // of the module
  std::uint32_t index = 0;  // among the targets, in the order of the forward pass
  std::uint32_t rows = 0, columns = 0;
  const QuantizedMatrix* base = nullptr;  // null where the base is dense
  QuantizedMatrix* recodable = nullptr;   // the same, where its codes may change (its grids may not)
  std::span<const float> original{};      // W [rows, columns]; empty where not asked for, or not known
  std::span<const double> gram{};         // XᵀX [columns, columns]; empty likewise
};

/// Reads a quantised layer of the base; refuses where the base is dense.
using ReadBase = std::function<QuantizedMatrix(const std::string& module)>;

/// What a start did to a projection's output over the calibration tokens, as shares of its 2-norm.
struct StartError {
  std::string module;
  std::uint64_t coefficients = 0;
  double before = 0;  // ‖(W − W_q)X‖ / ‖WX‖
  double after = 0;   // the same with the adapter
};

class Method {
 public:
  explicit Method(MethodSetup setup) : setup_(std::move(setup)) {}
  virtual ~Method() = default;

  /// Room for a dense weight under its Hugging Face name ("model.norm.weight"): frozen, in `arena`, unless
  /// the method trains it. Nothing for a linear weight that the method holds in another form; it then comes
  /// to Linear::load.
  virtual Weight reserve_weight(vk::Arena& arena, const std::string& name, DType dtype, const Shape& shape);

  /// The layer over projections with a common input. Called in the order of the forward pass.
  virtual std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) = 0;

  virtual StartsFrom starts_from() const { return StartsFrom::base; }
  /// Whether the start chooses codes of the base anew where it may.
  virtual bool recodes() const { return false; }
  /// The start of one target; every one gets its turn, in the order of the forward pass.
  void start(const ProjectionStart& projection);
  /// One line for people about the start, after it; empty: nothing to say.
  virtual std::string describe_start() const { return {}; }
  /// Errors of the projections that were fitted.
  virtual std::vector<StartError> start_errors() const { return {}; }

  /// Fills what the arenas hold besides the parameters' values: constant tables, frozen state.
  virtual void upload(vk::Device&) {}

  /// Lines for people about what training did to the values, at its end.
  virtual std::vector<std::string> remarks(vk::Device&) const { return {}; }

  /// A trained projection as codes on a grid that give every weight of the last pass bit for bit, where the
  /// method keeps them in a form of its own; nothing where its layers show what they are.
  virtual std::optional<QuantizedMatrix> exported(vk::Device&, const std::string& /*module*/) const {
    return std::nullopt;
  }

  /// Writes adapter_model.safetensors and adapter_config.json into a folder that is there, over older ones:
  /// by default every parameter under its name, and the fingerprints of the base's layers.
  virtual void save(const std::filesystem::path& folder, vk::Device& device) const;
  /// The state that `save` wrote, instead of a start. Refuses files of another method, shape or base.
  virtual void read(const std::filesystem::path& folder, const ReadBase& base);

  const MethodSetup& setup() const { return setup_; }

 protected:
  /// What `start` does for this method: leaves values for `upload`, or with Parameters::start.
  virtual void start_projection(const ProjectionStart&) {}

  MethodSetup setup_;
  /// Fingerprints of the quantised layers that `start` saw or `read` checked, by module.
  std::map<std::string, std::string> bases_;
};

/// No adapters.
class FrozenMethod final : public Method {
 public:
  using Method::Method;
  std::unique_ptr<Linear> make_linear(std::vector<BaseWeight> weights) override {
    return std::make_unique<FrozenLinear>(std::move(weights));
  }
};

/// Whether a module ("model.layers.0.self_attn.q_proj") is among the targets ("q,v"); refuses an unknown
/// target.
bool is_target(const std::string& targets, const std::string& module);

}  // namespace walsh
