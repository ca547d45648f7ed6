// Which columns the coefficients take (the options' `select`).
#pragma once

#include <cstdint>
#include <vector>

#include "methods/qwha_init.h"

namespace walsh {

/// `count` columns for the `rows` rows from `row` on together, the best first; equal scores go to the lowest
/// column.
std::vector<std::uint32_t> qwha_support(const QwhaSpectra& spectra, std::uint32_t row, std::uint32_t rows,
                                        std::uint32_t count, const QwhaOptions& options);

}  // namespace walsh
