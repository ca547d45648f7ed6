#include "train/opened_model.h"

#include <system_error>

#include "base/error.h"
#include "calibrate/initialise.h"
#include "train/run_folder.h"

namespace walsh {
namespace fs = std::filesystem;
namespace {

// fs::equivalent throws where one of the two is missing, in some libraries.
bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code missing;
  return fs::equivalent(a, b, missing) && !missing;
}

}  // namespace

OpenedModel::OpenedModel(const std::string& model, const std::string& adapter,
                         std::optional<std::uint64_t> random_weights, const std::string& adapter_files) {
  require(!model.empty(), "--model is missing: name the model's folder");
  model_ = random_weights ? random_model(read_config(model), {.dense = DType::bf16}, *random_weights)
                          : open_model(model);
  if (adapter.empty()) return;
  const fs::path run = run_of(adapter);
  adapter_ = adapter_files.empty() ? (run / "adapter").string() : adapter_files;
  if (is_checkpoint(adapter)) checkpoint_ = adapter;
  const RunBase base = read_base(run);
  const fs::path folder = base_folder(run, base);
  RunOptions before;
  read_options(before, run / "config.yaml");
  const bool same =
      before.random_weights == random_weights && (same_file(folder, model) || same_file(before.model, model));
  base_ = open_base(run, base, before);
  require(base_fingerprint(*base_) == base.fingerprint,
          "{}: the base in {} has changed since; the adapter belongs to another one", run.string(),
          folder.string());
  if (!same) {  // the same weights under another path will do
    const bool is_base =
        model_->format().bits == base_->format().bits && base_fingerprint(*model_) == base.fingerprint;
    require(is_base || (model_->format().bits == 0 && base_->format().bits > 0),
            "{}: not the base that the adapter in {} was trained on", model, run.string());
    require(is_base || original_matches(*model_, *base_),
            "{}: not the model whose weights the base of {} was made from", model, run.string());
  }
  combined_ = combined_model(*model_, *base_);
  options_ = before;
}

std::unique_ptr<Session> OpenedModel::load(vk::Device& device, std::uint32_t tokens) const {
  auto session = std::make_unique<Session>(config(), source().format(), options_, tokens, !adapter_.empty());
  const PassMemory pass(config(), tokens, logit_rows(config(), tokens),
                        Pass::inference);  // a plan: no device
  require_memory(device, session->weights_bytes(),
                 session->method_bytes() + session->parameters().value_bytes(), pass.arena.bytes());
  if (!adapter_.empty()) session->method().read(adapter_, base_reader(*base_));
  session->commit(device, false);
  session->load(device, source());
  if (!checkpoint_.empty()) load_values(checkpoint_, device, session->parameters());
  return session;
}

}  // namespace walsh
