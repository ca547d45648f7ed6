#include "quantize/phi.h"

#include <cmath>

#include "base/error.h"
#include "base/half.h"
#include "quantize/fixed_point.h"
#include "tensor/packing.h"
#include "tensor/quantized_matrix.h"

namespace walsh {

PhiStore parse_phi_store(std::string_view name) {
  if (name == "fp32") return PhiStore::fp32;
  if (name == "bf16") return PhiStore::bf16;
  if (name == "fixed8") return PhiStore::fixed8;
  if (name == "int") return PhiStore::integer;
  refuse("phi: found \"{}\", expected one of: fixed8, int, bf16, fp32", name);
}

template <typename T>
std::vector<T> make_phi(std::span<const T> w, std::span<const T> s0, std::span<const std::uint32_t> zeros,
                        const PhiFormat& format) {
  const std::size_t group_size = w.size() / s0.size();
  const auto lowest = static_cast<T>(format.lowest()), highest = static_cast<T>(format.highest());
  std::vector<T> phi(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    const std::size_t k = i / group_size;
    const T at = w[i] / s0[k], zero = zeros.empty() ? T{0} : static_cast<T>(zeros[k]);
    switch (format.store) {
      case PhiStore::fp32:
        phi[i] = static_cast<T>(static_cast<float>(at + zero));
        break;
      case PhiStore::bf16:
        phi[i] = static_cast<T>(bf16_to_float(float_to_bf16(static_cast<float>(at + zero))));
        break;
      case PhiStore::fixed8:
        phi[i] = format.asymmetric ? from_fixed8<T>(to_unsigned_fixed8(at + zero, format.bits), format.bits)
                                   : from_fixed8<T>(to_fixed8(at, format.bits), format.bits);
        break;
      case PhiStore::integer:  // rounded before the zero is added, as the grids are
        phi[i] = std::clamp(std::nearbyint(at) + zero, lowest, highest);
        break;
    }
  }
  return phi;
}

template std::vector<float> make_phi(std::span<const float>, std::span<const float>,
                                     std::span<const std::uint32_t>, const PhiFormat&);
template std::vector<double> make_phi(std::span<const double>, std::span<const double>,
                                      std::span<const std::uint32_t>, const PhiFormat&);

std::vector<std::uint32_t> pack_phi(std::span<const float> phi, std::uint32_t columns,
                                    const PhiFormat& format) {
  const std::uint32_t bits = format.bits + format.fraction();
  const float steps = std::ldexp(1.0f, static_cast<int>(format.fraction()));
  const std::size_t words = words_per_row(columns, bits);
  std::vector<std::uint32_t> packed(phi.size() / columns * words);
  std::vector<std::uint8_t> stored(columns);
  for (std::size_t row = 0; row < phi.size() / columns; ++row) {
    for (std::size_t j = 0; j < columns; ++j)
      stored[j] =
          static_cast<std::uint8_t>((phi[row * columns + j] - static_cast<float>(format.lowest())) * steps);
    pack_codes(stored, bits, std::span(packed).subspan(row * words, words));
  }
  return packed;
}

}  // namespace walsh
