// A run on disk: config.yaml, base.json, metrics.jsonl, adapter/, checkpoints/, probe.json. Everything
// appears whole, by rename; only metrics.jsonl grows line by line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "methods/parameters.h"
#include "model/weights.h"
#include "train/options.h"
#include "vk/device.h"

namespace walsh {

/// Whether a folder is a run (it holds config.yaml and base.json).
bool is_run(const std::filesystem::path& folder);

/// The folder itself, or the run whose `adapter/` or checkpoint it is.
std::filesystem::path run_of(const std::filesystem::path& run_or_adapter);

/// Refuses an output folder that exists; a run says how to resume it.
void require_new(const std::filesystem::path& out);

/// The base that a run was trained on.
struct RunBase {
  std::filesystem::path path;  // absolute, or relative to the run ("base")
  std::string fingerprint;     // of its linear layers
};
void write_base(const std::filesystem::path& run, const RunBase& base);
RunBase read_base(const std::filesystem::path& run);
/// Where the base's folder is.
std::filesystem::path base_folder(const std::filesystem::path& run, const RunBase& base);
/// The base itself; random weights are drawn again where the run did not make a base of them.
std::unique_ptr<WeightSource> open_base(const std::filesystem::path& run, const RunBase& base,
                                        const RunOptions& options);

/// One value for all linear layers of a model: codes and grids where it is quantised, weights otherwise.
std::string base_fingerprint(const WeightSource& source);

/// Whether everything but the linear layers (embedding, norms, head) is the same in a model and a base made
/// from it.
bool original_matches(const WeightSource& model, const WeightSource& base);

/// Where a run stands between two optimizer steps.
struct Progress {
  std::uint32_t step = 0;              // steps done
  std::uint64_t epoch = 0, batch = 0;  // position in the data
  std::uint64_t tokens = 0;            // trained so far
  double seconds = 0;
  double loss_first = 0, loss_last = 0;
  float loss_scale = 0, loss_scale_steps = 0;  // see train/step.h; 0: none
};

/// checkpoints/step-00000100: parameters, optimizer state, progress. `keep`: older ones are removed.
void save_checkpoint(const std::filesystem::path& run, vk::Device& device, const Parameters& parameters,
                     const Progress& progress, std::uint32_t keep);
/// The newest whole checkpoint, or none.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& run);
/// Only the trained values, for evaluation.
void load_values(const std::filesystem::path& checkpoint, vk::Device& device, const Parameters& parameters);
bool is_checkpoint(const std::filesystem::path& folder);
Progress load_checkpoint(const std::filesystem::path& checkpoint, vk::Device& device,
                         const Parameters& parameters);

/// metrics.jsonl: one object a line, flushed; a torn last line is ignored.
class Metrics {
 public:
  /// Keeps the lines of steps up to `step` and drops later ones.
  Metrics(const std::filesystem::path& run, std::uint32_t step);
  void write(const OrderedJson& line);

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace walsh
