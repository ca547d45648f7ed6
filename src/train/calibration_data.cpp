#include "train/calibration_data.h"

#include <algorithm>

namespace walsh {

std::vector<std::vector<std::uint32_t>> calibration_sequences(const RunOptions& options,
                                                              const Dataset& training, TextEncoder& encoder) {
  const Dataset own =
      options.calibration.empty() ? Dataset{} : load_dataset(options.calibration, "train", encoder);
  const Dataset& data = options.calibration.empty() ? training : own;
  std::vector<std::uint32_t> stream;
  for (const Document& document : data.documents)
    stream.insert(stream.end(), document.ids.begin(), document.ids.end());
  const std::size_t length = std::min<std::size_t>(options.sequence_length, stream.size());
  const std::size_t whole = stream.size() / length;
  // Evenly spread pieces, in the order of the text.
  const std::size_t count = std::min<std::size_t>(options.calibration_sequences, whole);
  std::vector<std::vector<std::uint32_t>> sequences;
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = stream.begin() + static_cast<std::ptrdiff_t>(i * whole / count * length);
    sequences.emplace_back(first, first + static_cast<std::ptrdiff_t>(length));
  }
  return sequences;
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
