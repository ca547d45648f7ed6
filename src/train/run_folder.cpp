#include "train/run_folder.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "io/adapter.h"
#include "io/safetensors.h"

namespace walsh {
namespace {

namespace fs = std::filesystem;

std::string hex(XXH128_hash_t hash) { return fmt::format("{:016x}{:016x}", hash.high64, hash.low64); }

// The tensors of range i under names of the checkpoint.
template <typename Visit>
void for_each_state(const Parameters& parameters, Visit&& visit) {
  std::size_t i = 0;
  for (const Parameters::Range& range : parameters.ranges()) {
    visit(fmt::format("parameters.{}", i), range.value);
    visit(fmt::format("first_moments.{}", i), range.m);
    visit(fmt::format("second_moments.{}", i), range.v);
    if (range.largest) visit(fmt::format("largest_moments.{}", i), range.largest);
    ++i;
  }
}

// Checkpoint folders, oldest first.
std::vector<fs::path> list_checkpoints(const fs::path& run) {
  std::vector<fs::path> list;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && !name.ends_with(".partial")) list.push_back(entry.path());
  }
  std::sort(list.begin(), list.end());
  return list;
}

}  // namespace

bool is_run(const fs::path& folder) {
  return fs::exists(folder / "config.yaml") && fs::exists(folder / "base.json");
}

bool is_checkpoint(const fs::path& folder) {
  return fs::exists(folder / "progress.json") && fs::exists(folder / "state.safetensors");
}

fs::path run_of(const fs::path& path) {
  if (is_run(path)) return path;
  fs::path inner = fs::absolute(path).lexically_normal();
  if (inner.filename().empty()) inner = inner.parent_path();  // "run/adapter/"
  const fs::path run = is_checkpoint(inner) ? inner.parent_path().parent_path() : inner.parent_path();
  if (is_run(run) && (is_checkpoint(inner) || fs::exists(inner / "adapter_config.json"))) return run;
  refuse(
      "{}: not a run of walsh train (no config.yaml and base.json), nor the adapter/ or a checkpoint of one",
      path.string());
}

void require_new(const fs::path& out) {
  require(!out.empty(), "--out is missing: name the folder to write");
  if (!fs::exists(out)) return;
  if (is_run(out))
    refuse("{}: a run is there already; continue it with --resume, or name a new folder", out.string());
  refuse("{}: exists already and is not a run; name a new folder", out.string());
}

void write_base(const fs::path& run, const RunBase& base) {
  const OrderedJson json = {{"path", base.path.string()}, {"fingerprint", base.fingerprint}};
  write_file(run / "base.json", json.dump(2) + "\n");
}

RunBase read_base(const fs::path& run) {
  const fs::path file = run / "base.json";
  const Json json = read_json(file);
  return {json_at<std::string>(json, "path", file.string()),
          json_at<std::string>(json, "fingerprint", file.string())};
}

fs::path base_folder(const fs::path& run, const RunBase& base) {
  return base.path.is_absolute() ? base.path : run / base.path;
}

std::unique_ptr<WeightSource> open_base(const fs::path& run, const RunBase& base, const RunOptions& options) {
  const fs::path folder = base_folder(run, base);
  if (options.random_weights && base.path.is_absolute())
    return random_model(read_config(folder), {.dense = DType::bf16}, *options.random_weights);
  return open_model(folder);
}

std::string base_fingerprint(const WeightSource& source) {
  std::string all;
  for (const WeightInfo& weight : list_weights(source.config())) {
    if (weight.kind != WeightKind::linear) continue;
    if (source.format().bits > 0) {
      all += fingerprint(source.quantized(module_of(weight), static_cast<std::uint32_t>(weight.shape[0]),
                                          static_cast<std::uint32_t>(weight.shape[1])));
    } else {
      const auto bytes = source.read(weight, source.dtype(weight));
      all += hex(XXH3_128bits(bytes.data(), bytes.size()));
    }
  }
  return hex(XXH3_128bits(all.data(), all.size()));
}

bool original_matches(const WeightSource& model, const WeightSource& base) {
  const auto weights = list_weights(model.config());
  if (weights.size() != list_weights(base.config()).size()) return false;
  for (const WeightInfo& weight : weights) {
    if (weight.kind == WeightKind::linear) continue;
    if (model.dtype(weight) != base.dtype(weight) ||
        model.read(weight, model.dtype(weight)) != base.read(weight, model.dtype(weight)))
      return false;
  }
  return true;
}

void save_checkpoint(const fs::path& run, vk::Device& device, const Parameters& parameters, const Progress& p,
                     std::uint32_t keep) {
  fs::create_directories(run / "checkpoints");
  const fs::path folder = run / "checkpoints" / fmt::format("step-{:08}", p.step);
  if (!fs::exists(folder)) {
    StagedFolder staged(folder);
    std::vector<TensorInfo> tensors;
    for_each_state(parameters, [&](const std::string& name, const Tensor& tensor) {
      tensors.push_back({name, tensor.dtype, {tensor.shape.elements()}});
    });
    SafetensorsWriter writer(staged.path() / "state.safetensors", tensors, {});
    for_each_state(parameters, [&](const std::string& name, const Tensor& tensor) {
      const auto values = device.download<std::byte>(tensor);
      writer.append(name, values);
    });
    writer.publish();
    const OrderedJson json = {
        {"step", p.step},           {"epoch", p.epoch},           {"batch", p.batch},
        {"tokens", p.tokens},       {"seconds", p.seconds},       {"loss_first", p.loss_first},
        {"loss_last", p.loss_last}, {"loss_scale", p.loss_scale}, {"loss_scale_steps", p.loss_scale_steps}};
    write_file(staged.path() / "progress.json", json.dump(2) + "\n");
    staged.publish();
  }
  const auto all = list_checkpoints(run);
  for (std::size_t i = 0; i + std::max(1u, keep) < all.size(); ++i) fs::remove_all(all[i]);
}

std::optional<fs::path> newest_checkpoint(const fs::path& run) {
  const auto all = list_checkpoints(run);
  return all.empty() ? std::nullopt : std::optional(all.back());
}

void load_values(const fs::path& checkpoint, vk::Device& device, const Parameters& parameters) {
  const Safetensors state = Safetensors::open(checkpoint / "state.safetensors");
  std::size_t i = 0;
  for (const Tensor& values : parameters.values()) {
    const TensorView& view = state.at(fmt::format("parameters.{}", i++));
    require_shape(view, std::array{values.shape[0]});
    device.upload(values, to_values<float>(view, DType::f32));
  }
}

Progress load_checkpoint(const fs::path& checkpoint, vk::Device& device, const Parameters& parameters) {
  const fs::path file = checkpoint / "progress.json";
  const Json json = read_json(file);
  const std::string source = file.string();
  const Safetensors state = Safetensors::open(checkpoint / "state.safetensors");
  for_each_state(parameters, [&](const std::string& name, const Tensor& tensor) {
    const TensorView& view = state.at(name);
    require_shape(view, std::array{tensor.shape.elements()});
    require(view.dtype == tensor.dtype, "{}: {} is {}, expected {}", source, name, name_of(view.dtype),
            name_of(tensor.dtype));
    device.upload(tensor, view.bytes.data(), view.bytes.size());
  });
  return {.step = json_at<std::uint32_t>(json, "step", source),
          .epoch = json_at<std::uint64_t>(json, "epoch", source),
          .batch = json_at<std::uint64_t>(json, "batch", source),
          .tokens = json_at<std::uint64_t>(json, "tokens", source),
          .seconds = json_at<double>(json, "seconds", source),
          .loss_first = json_at<double>(json, "loss_first", source),
          .loss_last = json_at<double>(json, "loss_last", source),
          .loss_scale = json_or<float>(json, "loss_scale", 0, source),
          .loss_scale_steps = json_or<float>(json, "loss_scale_steps", 0, source)};
}

Metrics::Metrics(const fs::path& run, std::uint32_t step) : path_(run / "metrics.jsonl") {
  std::string kept;
  if (fs::exists(path_)) {
    std::stringstream lines(read_text(path_));
    for (std::string line; std::getline(lines, line);) {
      const Json json = Json::parse(line, nullptr, false);
      if (!json.is_object() || !json.contains("step") || !json["step"].is_number_unsigned() ||
          json["step"].get<std::uint64_t>() > step)
        break;
      kept += line + "\n";
    }
  }
  write_file(path_, kept);
  out_.open(path_, std::ios::app);
  require(out_.good(), "{}: cannot be written", path_.string());
}

void Metrics::write(const OrderedJson& line) {
  out_ << line.dump() << "\n" << std::flush;
  if (!out_.good()) fail("{}: writing failed; is the disk full?", path_.string());
}

}  // namespace walsh
