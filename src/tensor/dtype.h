// Element types of tensors on disk and on the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace walsh {

enum class DType : std::uint8_t { f32, f16, bf16, u32, i32, u16, i64, u8, i8 };

constexpr std::size_t size_of(DType type) {
  switch (type) {
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::u32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::u16:
      return 2;
    case DType::u8:
    case DType::i8:
      return 1;
  }
  return 0;
}

constexpr std::string_view name_of(DType type) {
  constexpr std::string_view names[] = {"f32", "f16", "bf16", "u32", "i32", "u16", "i64", "u8", "i8"};
  return names[static_cast<std::size_t>(type)];
}

}  // namespace walsh
