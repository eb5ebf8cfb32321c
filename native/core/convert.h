// The one rule by which a number changes its element type: `cast` and `fill` of every device follow it.
// To an integer type: truncation towards 0, saturating at the ends of the range, NaN to 0. To a floating type:
// rounding to the nearest. Checked over all pairs of dtypes in test/kernels.
#pragma once

#include <limits>
#include <type_traits>

#include "core/half.h"

namespace igcnet {

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, BF16> || std::is_same_v<T, F16>;

// A double as the f32 towards 0 with its last bit set where it is not exact, so that rounding that once more gives what
// rounding the double would.
constexpr float to_odd(double value) {
  const float nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || value != value) return nearest;
  const uint32_t bits = bits_of_float(nearest);
  const bool outwards = value < 0 ? nearest < value : nearest > value;
  return float_of_bits((outwards ? bits - 1 : bits) | 1u);
}

// From and To: float, double, int32_t, uint8_t, BF16 or F16.
template <class To, class From>
constexpr To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (kIsHalf<From>) {
    return convert<To>(to_float(value));
  } else if constexpr (kIsHalf<To>) {
    if constexpr (std::is_same_v<From, float>) {
      return from_float<To>(value);
    } else {
      return from_float<To>(to_odd(static_cast<double>(value)));
    }
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else {
    // Every integer of both integer types, and so both ends of the range, is exact in double.
    const double number = static_cast<double>(value);
    constexpr double kLowest = std::numeric_limits<To>::lowest(), kHighest = std::numeric_limits<To>::max();
    if (number != number) return 0;
    if (number <= kLowest) return std::numeric_limits<To>::lowest();
    if (number >= kHighest) return std::numeric_limits<To>::max();
    return static_cast<To>(number);
  }
}

}  // namespace igcnet
