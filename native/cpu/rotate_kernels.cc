// The loops of RotateRow and RotateGradientRow (row_kernels.h), compiled once per instruction set. Sums run over rows,
// then columns, then j, in f32 with fused multiply-adds where the machine has them.
#include <algorithm>
#include <utility>

#include "cpu/equal_blocks.h"
#include "cpu/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotate_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_turn-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

constexpr int kSumsOfBlock = kManyRegisters ? 24 : 12;
constexpr int kMostOutputs = kManyRegisters ? 12 : 6;

// kOutputs neighbouring outputs from t on, with kM sums each, of the inputs and weights from these places on.
template <int kM, int kOutputs>
HWY_INLINE void rotate_sums(const RotateRow& row, int64_t x_place, int64_t w_place, int64_t t, V* out) {
  V sum[kM * kOutputs];
#pragma GCC unroll 32
  for (int j = 0; j < kM * kOutputs; ++j) sum[j] = hn::Zero(D());
  const int64_t step = row.step;
  for (int64_t r = 0; r < row.rows; ++r) {
    const float* HWY_RESTRICT w = row.w[r] + w_place;
    const float* HWY_RESTRICT x = row.x[r] + x_place + t * step;
    for (int64_t s = row.columns; s > 0; --s, w += kM * kLanes, x += row.column) {
      if constexpr (kM <= 3) {  // the weights stay in registers
        V weight[kM];
        for (int j = 0; j < kM; ++j) weight[j] = hn::Load(D(), w + j * kLanes);
        const float* HWY_RESTRICT input = x;
#pragma GCC unroll 32
        for (int i = 0; i < kOutputs; ++i, input += step) {
          const V value = load_once(input);
          for (int j = 0; j < kM; ++j) sum[i * kM + j] = hn::MulAdd(weight[j], value, sum[i * kM + j]);
        }
      } else {  // the inputs do
        V value[kOutputs];
#pragma GCC unroll 32
        for (int i = 0; i < kOutputs; ++i) value[i] = load_once(x + i * step);
#pragma GCC unroll 32
        for (int j = 0; j < kM; ++j) {
          const V weight = load_once(w + j * kLanes);
          for (int i = 0; i < kOutputs; ++i) sum[i * kM + j] = hn::MulAdd(weight, value[i], sum[i * kM + j]);
        }
      }
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < kOutputs; ++i) out[i] = sum[i * kM];
#pragma GCC unroll 32
  for (int j = 1; j < kM; ++j) {
    for (int i = 0; i < kOutputs; ++i) out[i] = hn::Add(out[i], turned<kM>(sum[i * kM + j], j, row.rotation));
  }
}

// The first `active` lanes of kOutputs outputs.
template <int kOutputs>
HWY_INLINE void put_first(const V* out, int64_t active, float* y, int64_t y_step) {
  active == kLanes ? put_outputs<kOutputs, true>(y, y_step, active, out)
                   : put_outputs<kOutputs, false>(y, y_step, active, out);
}

// Both halves of kOutputs outputs, joined.
template <int kOutputs>
HWY_INLINE void put_joined(const RotateRow& row, const V* first, const V* second, float* y) {
  const hn::RebindToSigned<D> di;
  for (int64_t v = 0; v < 2 && v * kLanes < 2 * row.active; ++v) {
    const auto entries = hn::LoadU(di, row.join + v * kLanes);
    const auto indices = hn::IndicesFromVec(D(), hn::And(entries, hn::Set(di, kLanes - 1)));
    const auto from_first = hn::RebindMask(D(), hn::Lt(entries, hn::Set(di, kLanes)));
    V out[kOutputs];
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs; ++i) {
      out[i] =
          hn::IfThenElse(from_first, hn::TableLookupLanes(first[i], indices), hn::TableLookupLanes(second[i], indices));
    }
    put_first<kOutputs>(out, std::min<int64_t>(2 * row.active - v * kLanes, kLanes), y + v * kLanes, row.y_step);
  }
}

// kOutputs neighbouring outputs from t on, of all units.
template <int kM, int kOutputs>
HWY_NOINLINE void rotate_block(const RotateRow& row, int64_t t) {
  int64_t x_place = 0, w_place = 0;
  float* y = row.y + t * row.y_step;
  for (int64_t unit = 0; unit < row.units; ++unit, x_place += row.x_unit, w_place += row.w_unit, y += row.y_unit) {
    if (t == 0 && row.ahead != nullptr) row.ahead->share();
    V out[kOutputs];
    rotate_sums<kM, kOutputs>(row, x_place, w_place, t, out);
    if (row.join == nullptr) {
      put_first<kOutputs>(out, row.active, y, row.y_step);
      continue;
    }
    V second[kOutputs];
    rotate_sums<kM, kOutputs>(row, x_place, w_place + row.w_half, t, second);
    put_joined<kOutputs>(row, out, second, y);
  }
}

template <int kM, int... kOutputs>
HWY_INLINE void rotate_blocks(const RotateRow& row, std::integer_sequence<int, kOutputs...>) {
  using Block = void (*)(const RotateRow&, int64_t);
  static constexpr Block kBlocks[] = {rotate_block<kM, kOutputs + 1>...};
  for_equal_blocks<sizeof...(kOutputs)>(row.count, [&](int64_t t, int64_t outputs) { kBlocks[outputs - 1](row, t); });
}

template <int kM>
void rotate(const RotateRow& row) {
  constexpr int kOutputs = std::min(std::max(1, kSumsOfBlock / kM), kMostOutputs);
  rotate_blocks<kM>(row, std::make_integer_sequence<int, kOutputs>());
}

template <int... kM>
HWY_INLINE void rotate_any(const RotateRow& row, std::integer_sequence<int, kM...>) {
  static constexpr void (*kRotate[])(const RotateRow&) = {rotate<kM + 1>...};
  kRotate[row.M - 1](row);
}

constexpr int64_t kMostTaps = 9;

// The gradients of kTaps taps for the kJ turns from j on stay in registers over the whole row. The row's sum starts at
// 0 and is added to dw once, so the long sum over the batch is a sum of short ones, which rounds less.
struct Taps {
  const float* x[kMostTaps];
  float* dw[kMostTaps];
};

template <int kTaps, int kJ>
HWY_NOINLINE void rotate_gradient_block(const RotateGradientRow& row, const Taps& taps, int64_t j0) {
  V sum[kTaps * kJ];
#pragma GCC unroll 32
  for (int i = 0; i < kTaps * kJ; ++i) sum[i] = hn::Zero(D());
  const float* x[kTaps];
  for (int tap = 0; tap < kTaps; ++tap) x[tap] = taps.x[tap];
  const float* HWY_RESTRICT dy = row.dy;
  const int32_t* rotation = row.rotation + j0 * kLanes;
  decltype(hn::SetTableIndices(D(), rotation)) turn[kJ];
  for (int j = 0; j < kJ; ++j) turn[j] = hn::SetTableIndices(D(), rotation + j * kLanes);
  int64_t at = 0;
  for (int64_t t = row.count; t > 0; --t, dy += row.dy_step, at += row.step) {
    const V straight = hn::LoadU(D(), dy);
    V gradient[kJ];
    for (int j = 0; j < kJ; ++j) gradient[j] = hn::TableLookupLanes(straight, turn[j]);
#pragma GCC unroll 32
    for (int tap = 0; tap < kTaps; ++tap) {
      const V value = load_once(x[tap] + at);
      for (int j = 0; j < kJ; ++j) sum[tap * kJ + j] = hn::MulAdd(gradient[j], value, sum[tap * kJ + j]);
    }
  }
#pragma GCC unroll 32
  for (int tap = 0; tap < kTaps; ++tap) {
    float* dw = taps.dw[tap] + j0 * kLanes;
    for (int j = 0; j < kJ; ++j) {
      hn::Store(hn::Add(hn::Load(D(), dw + j * kLanes), sum[tap * kJ + j]), D(), dw + j * kLanes);
    }
  }
}

template <int kJ, int... kTaps>
HWY_INLINE void rotate_gradient_taps(const RotateGradientRow& row, const Taps& taps, int64_t count, int64_t j,
                                     std::integer_sequence<int, kTaps...>) {
  static constexpr void (*kBlocks[])(const RotateGradientRow&, const Taps&,
                                     int64_t) = {rotate_gradient_block<kTaps + 1, kJ>...};
  kBlocks[count - 1](row, taps, j);
}

void rotate_gradient(const RotateGradientRow& row, const Taps& taps, int64_t count) {
  constexpr std::make_integer_sequence<int, kMostTaps> kTaps;
  for_equal_blocks<kManyRegisters ? 3 : 1>(row.M, [&](int64_t j, int64_t turns) {
    if (turns == 1) rotate_gradient_taps<1>(row, taps, count, j, kTaps);
    if constexpr (kManyRegisters) {
      if (turns == 2) rotate_gradient_taps<2>(row, taps, count, j, kTaps);
      if (turns == 3) rotate_gradient_taps<3>(row, taps, count, j, kTaps);
    }
  });
}

void RotateGradientRowKernel(const RotateGradientRow& row) {
  Taps taps;
  int64_t count = 0;
  for (int64_t r = 0; r < row.rows; ++r) {
    for (int64_t s = 0; s < row.columns; ++s) {
      taps.x[count] = row.x[r] + s * row.column;
      taps.dw[count] = row.dw[r] + s * row.M * kLanes;
      if (++count == kMostTaps) {
        rotate_gradient(row, taps, count);
        count = 0;
      }
    }
  }
  if (count > 0) rotate_gradient(row, taps, count);
}

// M is below the lanes.
void RotateRowKernel(const RotateRow& row) {
  rotate_any(row, std::make_integer_sequence<int, std::max(kLanes - 1, 1)>());
}

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {
namespace {

HWY_EXPORT(RotateRowKernel);
HWY_EXPORT(RotateGradientRowKernel);

}  // namespace

void rotate_row(const RotateRow& row) { HWY_DYNAMIC_DISPATCH(RotateRowKernel)(row); }
void rotate_gradient_row(const RotateGradientRow& row) { HWY_DYNAMIC_DISPATCH(RotateGradientRowKernel)(row); }

}  // namespace igcnet
#endif  // HWY_ONCE
