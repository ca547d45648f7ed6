// The byte-level alphabet of GPT-2: each of the 256 bytes is written as one printable character, so that a
// vocabulary of strings can hold any text. Printable Latin-1 stands for itself; the other 68 bytes are U+0100
// onwards, in order (Radford et al. 2019, "Language models are unsupervised multitask learners",
// section 2.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace walsh {

std::string to_byte_level(std::string_view text);

/// The bytes, or nothing where `text` holds a character outside the alphabet.
std::optional<std::string> from_byte_level(std::string_view text);

}  // namespace walsh
