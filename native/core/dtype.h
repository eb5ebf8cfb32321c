// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/half.h"

namespace igcnet {

enum class DType : uint8_t { kF32, kF64, kI32, kU8, kBF16, kF16 };

constexpr size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF64:
      return 8;
    case DType::kU8:
      return 1;
    case DType::kBF16:
    case DType::kF16:
      return 2;
  }
  return 0;
}

// The name as JavaScript writes it.
constexpr std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF64:
      return "f64";
    case DType::kI32:
      return "i32";
    case DType::kU8:
      return "u8";
    case DType::kBF16:
      return "bf16";
    case DType::kF16:
      return "f16";
  }
  return "?";
}

// Those that parameters, statistics and losses have.
constexpr bool is_floating(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF64; }
// Those in which maps alone are stored.
constexpr bool is_half(DType dtype) { return dtype == DType::kBF16 || dtype == DType::kF16; }
// Of the parameters beside maps of a dtype.
constexpr DType parameter_dtype(DType map) { return is_half(map) ? DType::kF32 : map; }

// The DType of a C++ element type: dtype_of<float> == DType::kF32.
template <class T>
inline constexpr DType dtype_of = DType::kF32;
template <>
inline constexpr DType dtype_of<double> = DType::kF64;
template <>
inline constexpr DType dtype_of<int32_t> = DType::kI32;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::kU8;
template <>
inline constexpr DType dtype_of<BF16> = DType::kBF16;
template <>
inline constexpr DType dtype_of<F16> = DType::kF16;

}  // namespace igcnet
