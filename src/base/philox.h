// Philox4x32-10, a counter-based random number generator (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011, section 3.2). The same counter and key give the same numbers everywhere, so a resumed
// run needs no state beyond where it stands.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace walsh {

using PhiloxWords = std::array<std::uint32_t, 4>;

inline PhiloxWords philox(PhiloxWords counter, std::uint64_t key) {
  auto key0 = static_cast<std::uint32_t>(key);
  auto key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {
        static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(product1),
        static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// Philox2x32-10, for kernels: shaders/lib/philox.glsl has the same.
inline std::array<std::uint32_t, 2> philox2x32(std::array<std::uint32_t, 2> counter, std::uint32_t key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product = std::uint64_t{0xD256D193u} * counter[0];
    counter = {static_cast<std::uint32_t>(product >> 32) ^ key ^ counter[1],
               static_cast<std::uint32_t>(product)};
    key += 0x9E3779B9u;
  }
  return counter;
}

/// A stream of random numbers; `stream` separates uses of one seed (shuffles, initialisation, sampling).
class Philox {
 public:
  explicit Philox(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  std::uint32_t next() {
    if (used_ == 4) {
      words_ = philox({static_cast<std::uint32_t>(index_), static_cast<std::uint32_t>(index_ >> 32),
                       static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                      seed_);
      ++index_;
      used_ = 0;
    }
    return words_[used_++];
  }

  /// Uniform in [0, 1).
  float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24f; }

  /// Uniform in [0, n), n >= 1, without modulo bias beyond 2^-32.
  std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>((std::uint64_t{next()} * n) >> 32);
  }

  /// Standard normal (Box and Muller).
  float normal() {
    const float radius = std::sqrt(-2.0f * std::log(1.0f - uniform()));
    return radius * std::cos(2.0f * std::numbers::pi_v<float> * uniform());
  }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t index_ = 0;
  PhiloxWords words_{};
  unsigned used_ = 4;
};

}  // namespace walsh
