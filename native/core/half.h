// The two floating types of 16 bits in which maps may be stored; all arithmetic on them is done in f32.
//   bf16: 8 bits of exponent, 7 of fraction, the upper half of an f32;  f16: IEEE 754 binary16, 5 and 10 bits
// Conversion to them rounds to the nearest, ties to even; NaN stays NaN. Checked in test/kernels/cast.test.ts.
#pragma once

#include <cstdint>

namespace igcnet {

struct BF16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

constexpr float float_of_bits(uint32_t bits) { return __builtin_bit_cast(float, bits); }
constexpr uint32_t bits_of_float(float value) { return __builtin_bit_cast(uint32_t, value); }

constexpr float to_float(float value) { return value; }
constexpr float to_float(BF16 value) { return float_of_bits(static_cast<uint32_t>(value.bits) << 16); }

constexpr float to_float(F16 value) {
  constexpr float kSubnormalUnit = 1.0F / (1 << 24);
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
  const uint32_t exponent = value.bits >> 10 & 31u, fraction = value.bits & 0x3FFu;
  if (exponent == 31) return float_of_bits(sign | 0x7F800000u | fraction << 13);
  if (exponent != 0) return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * kSubnormalUnit;
  return sign == 0 ? magnitude : -magnitude;
}

// The value in T.
template <class T>
constexpr T from_float(float value);

template <>
constexpr float from_float<float>(float value) {
  return value;
}

template <>
constexpr BF16 from_float<BF16>(float value) {
  const uint32_t bits = bits_of_float(value);
  if (value != value) return {static_cast<uint16_t>(bits >> 16 | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16)};
}

template <>
constexpr F16 from_float<F16>(float value) {
  const uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  const auto made = [sign](uint32_t rest) { return F16{static_cast<uint16_t>(sign | rest)}; };
  constexpr uint32_t kInfinity = 0x7F800000u, kTooLarge = 0x477FF000u, kLeastNormal = 0x38800000u;
  if (magnitude > kInfinity) return made(0x7E00u);
  if (magnitude >= kTooLarge) return made(0x7C00u);
  if (magnitude >= kLeastNormal) {
    const uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u);
    return made((rounded - (112u << 23)) >> 13);
  }
  // A multiple of 2^-24: adding 0.5 to it leaves just that in the fraction, rounded as f32 rounds.
  const float shifted = float_of_bits(magnitude) + 0.5F;
  return made(bits_of_float(shifted) - bits_of_float(0.5F));
}

}  // namespace igcnet
