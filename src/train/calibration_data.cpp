#include "train/calibration_data.h"

#include <algorithm>

#include "base/error.h"

namespace walsh {

CalibrationText calibration_text(const RunOptions& options, std::uint32_t context, const Dataset& training,
                                 TextEncoder& encoder) {
  const Dataset own =
      options.calibration.empty() ? Dataset{} : load_dataset(options.calibration, "train", encoder);
  const Dataset& data = options.calibration.empty() ? training : own;
  std::vector<std::uint32_t> stream;
  for (const Document& document : data.documents)
    stream.insert(stream.end(), document.ids.begin(), document.ids.end());
  const std::size_t asked = options.calibration_length;
  require(stream.size() >= fewest_calibration_tokens,
          "{}: {} tokens to calibrate on, at least {} are needed, and {} x {} are asked for",
          options.calibration.empty() ? options.data : options.calibration, stream.size(),
          fewest_calibration_tokens, options.calibration_sequences, asked);
  const std::size_t length = std::min<std::size_t>({asked, context, stream.size()});
  const std::size_t whole = stream.size() / length;
  // Evenly spread pieces, in the order of the text.
  const std::size_t count = std::min<std::size_t>(options.calibration_sequences, whole);
  CalibrationText text;
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = stream.begin() + static_cast<std::ptrdiff_t>(i * whole / count * length);
    text.sequences.emplace_back(first, first + static_cast<std::ptrdiff_t>(length));
  }
  text.summary = fmt::format("calibration: {} x {} tokens", count, length);
  if (count < options.calibration_sequences || length < asked)
    text.summary +=
        fmt::format(" of the {} x {} asked for: the model's context is {}, the text has {} tokens",
                    options.calibration_sequences, asked, context, stream.size());
  return text;
}

bool has_split(const std::filesystem::path& path, const char* split) {
  if (!std::filesystem::is_directory(path)) return false;
  const std::string stem = split;
  for (const char* ending : {".jsonl", ".json", ".txt"}) {
    if (std::filesystem::exists(path / (stem + ending))) return true;
  }
  return false;
}

}  // namespace walsh
