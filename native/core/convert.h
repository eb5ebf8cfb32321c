// The one rule by which a number changes its element type: `cast` and `fill` of every device follow it.
// To an integer type: truncation towards 0, saturating at the ends of the range, NaN to 0. To a floating type:
// rounding to the nearest. Checked over all pairs of dtypes in test/kernels.
#pragma once

#include <limits>
#include <type_traits>

namespace igcnet {

// From and To: float, double, int32_t or uint8_t.
template <class To, class From>
constexpr To convert(From value) {
  if constexpr (std::is_floating_point_v<To>) {
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
