// A LLaMA-family model and its optimizer step in double on the host, in the plain loops of the ops'
// references: what `walsh doctor` holds a device's training against. For models of up to some million
// weights, without biases.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/inputs.h"
#include "model/weights.h"
#include "train/step.h"

namespace walsh {

class ReferenceModel {
 public:
  /// Quantised layers are dequantised.
  explicit ReferenceModel(const WeightSource& source);

  /// The mean loss of a batch whose every sequence is seen whole; then one step of training every weight.
  double step(const TokenBatch& batch, double learning_rate, const StepOptions& options);

 private:
  using Values = std::vector<double>;
  struct Weight {
    Values values;
    std::size_t rows = 1, columns = 0;  // a vector is one row
    Values gradient, m, v;
  };
  struct Layer;

  Values project(const std::string& name, const Values& x) const;
  Values norm(const std::string& name, const Values& x, Values& rstd) const;
  Values layer_forward(Layer& layer, const Values& x, const TokenBatch& batch) const;
  // The backward of each gives the input's gradient and adds the weight's.
  Values project_backward(const std::string& name, const Values& dy, const Values& x);
  Values norm_backward(const std::string& name, const Values& dy, const Values& x, const Values& rstd);
  Values layer_backward(const Layer& layer, const Values& dy, const TokenBatch& batch);
  void update(double learning_rate, const StepOptions& options);

  ModelConfig config_;
  std::vector<float> frequencies_;
  std::map<std::string, Weight> weights_;
  int steps_ = 0;
};

}  // namespace walsh
