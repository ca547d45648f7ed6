// fake_quant in plain loops, on any scalar type. Roundings are x + (round(Re x) − Re x), whose derivative is
// 1: the complex step then gives the straight-through gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <vector>

#include "ops/fake_quant.h"

namespace walsh::reference {

template <typename T>
double real_part(const T& x) {
  return std::real(std::complex<double>(x));
}

/// The value `rounded` with the derivative of x.
template <typename T>
T straight_through(const T& x, double rounded) {
  return x + T(rounded - real_part(x));
}

/// One weight. inside: whether the clamp passes gradient.
template <typename T>
struct FakeQuantized {
  T v, w;
  double code;
  bool inside;
};

template <typename T>
FakeQuantized<T> fake_quant_weight(const T& combined, T s, T b, const FakeQuantOptions& o) {
  const double half = 1u << (o.bits - 1), lowest = -half, highest = half - 1;
  T low = b + s * T(lowest);
  if (o.half_grid) {
    const StoredAffine stored =
        stored_affine(static_cast<float>(real_part(s)), static_cast<float>(real_part(b)), o.bits);
    s = straight_through(s, stored.scale);
    low = straight_through(b + s * T(lowest), stored.low);
    b = low - s * T(lowest);
  } else if (real_part(s) < 0x1p-14) {
    s = straight_through(s, 0x1p-14);
  }
  const T v = (combined - b) / s;
  const double at = real_part(v);
  const bool inside = at >= lowest - o.tolerance && at <= highest + o.tolerance;
  const double code = std::nearbyint(std::clamp(at, lowest, highest));
  const T q = inside ? straight_through(v, code) : T(code);
  return {v, s * (q - T(lowest)) + low, code, inside};
}

template <typename T>
void fake_quant_forward(std::vector<T>& w, const std::vector<T>& base, const std::vector<T>& product,
                        const std::vector<T>& scale, const std::vector<T>& offset,
                        const FakeQuantOptions& o) {
  w.resize(base.size());
  for (std::size_t i = 0; i < base.size(); ++i) {
    const std::size_t k = i / o.group_size;
    w[i] =
        fake_quant_weight(base[i] + T(o.alpha) * product[i], scale[k], offset.empty() ? T(0) : offset[k], o)
            .w;
  }
}

template <typename T>
void fake_quant_backward(std::vector<T>& g, std::vector<T>& dscale, std::vector<T>& doffset,
                         const std::vector<T>& base, const std::vector<T>& product,
                         const std::vector<T>& scale, const std::vector<T>& offset,
                         const FakeQuantOptions& o) {
  dscale.resize(scale.size(), T(0));
  doffset.resize(offset.size(), T(0));
  for (std::size_t i = 0; i < base.size(); ++i) {
    const std::size_t k = i / o.group_size;
    const auto q =
        fake_quant_weight(base[i] + T(o.alpha) * product[i], scale[k], offset.empty() ? T(0) : offset[k], o);
    dscale[k] += T(o.grad_scale) * g[i] * (q.inside ? T(q.code) - q.v : T(q.code));
    if (!offset.empty() && !q.inside) doffset[k] += T(o.grad_scale) * g[i];
    g[i] = q.inside ? T(o.alpha) * g[i] : T(0);
  }
}

}  // namespace walsh::reference
