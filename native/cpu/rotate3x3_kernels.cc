// The loops of Rotate3x3 (row_kernels.h), compiled once per instruction set: those of rotate_kernels.cc for the kernel
// that nearly all layers have, with all taps unrolled and every input loaded once for the three columns that it meets.
// Sums run over kernel rows, then columns; with 16 registers over j before them, and with groups of a vector over
// inputs in between. In f32 with fused multiply-adds where the machine has them.
#include <algorithm>
#include <utility>

#include "cpu/equal_blocks.h"
#include "cpu/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotate3x3_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_turn-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

// With 32 registers the turns j of a block are summed a few at a time: as many as leave registers for several outputs.
constexpr int kMostTurns = 4;
constexpr int passes(int M) { return (M + kMostTurns - 1) / kMostTurns; }
constexpr int turns(int M) { return (M + passes(M) - 1) / passes(M); }  // of the largest pass

// With 32 registers and turns, in them are the sums, the inputs, a weight, and with more than one pass the outputs so
// far.
constexpr int most_outputs(int M) {
  if (!kManyRegisters || M == kLanes) return kMostSums;
  constexpr int kRegisters = 28, kMost = 8;
  const int per_output = turns(M) + 1 + (passes(M) > 1 ? 1 : 0);
  return std::clamp((kRegisters - 3) / per_output, 1, kMost);
}

// One kernel row with 32 registers: each input is loaded once for the three columns that it meets, the weights stream.
template <int kM, int kTurns, int kOutputs>
HWY_INLINE void sum_row_by_inputs(const float* HWY_RESTRICT x, const float* HWY_RESTRICT w, V* sum) {
  V value[kOutputs + 2];
#pragma GCC unroll 32
  for (int i = 0; i < kOutputs + 2; ++i) value[i] = load_once(x + i * kLanes);
#pragma GCC unroll 32
  for (int j = 0; j < kTurns; ++j) {
#pragma GCC unroll 3
    for (int s = 0; s < 3; ++s) {
      const V weight = load_once(w + (s * kM + j) * kLanes);
#pragma GCC unroll 32
      for (int i = 0; i < kOutputs; ++i) {
        sum[i * kTurns + j] = hn::MulAdd(weight, value[i + s], sum[i * kTurns + j]);
      }
    }
  }
}

// Turns [kFirst, kEnd) of the outputs whose first input is x[0][t].
template <int kM, int kFirst, int kEnd, int kOutputs>
HWY_INLINE void sum_turns(const Rotate3x3& task, const float* const* rows, int64_t t, V* out) {
  constexpr int kTurns = kEnd - kFirst;
  V sum[kTurns * kOutputs];
#pragma GCC unroll 32
  for (int i = 0; i < kTurns * kOutputs; ++i) sum[i] = hn::Zero(D());
#pragma GCC unroll 3
  for (int r = 0; r < 3; ++r) {
    sum_row_by_inputs<kM, kTurns, kOutputs>(rows[r] + t, task.w[r] + kFirst * kLanes, sum);
  }
#pragma GCC unroll 32
  for (int j = 0; j < kTurns; ++j) {
    if constexpr (kFirst == 0) {
      if (j == 0) {
#pragma GCC unroll 32
        for (int i = 0; i < kOutputs; ++i) out[i] = sum[i * kTurns];
        continue;
      }
    }
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs; ++i) {
      out[i] = hn::Add(out[i], turned<kM>(sum[i * kTurns + j], kFirst + j, task.rotation));
    }
  }
}

template <int kM, int kOutputs, int... kPass>
HWY_INLINE void sum_passes(const Rotate3x3& task, const float* const* rows, int64_t t, V* out,
                           std::integer_sequence<int, kPass...>) {
  constexpr int kPasses = sizeof...(kPass);
  (sum_turns<kM, kM * kPass / kPasses, kM*(kPass + 1) / kPasses, kOutputs>(task, rows, t, out), ...);
}

// `blocks` blocks of kOutputs columns from `first` on, of every unit and row. kWhole: all lanes are stored.
template <int kM, int kOutputs, bool kWhole>
HWY_NOINLINE void rotate_blocks_3x3(const Rotate3x3& given, int64_t first, int64_t blocks) {
  Rotate3x3 task = given;  // nobody else has its address, so stores to y leave it in registers
  for (int64_t unit_row = 0; unit_row < task.units * task.rows; ++unit_row) {
    const int64_t unit = unit_row / task.rows, row = unit_row % task.rows;
    if (unit > 0 && row == 0) {
      for (const float*& w : task.w) w += task.w_unit;
      task.offset += task.x_unit;
      task.y += task.y_unit;
    }
    float* y = task.y + row * task.y_row + first * task.y_step;
    int64_t t = task.offset + first * kLanes;
    for (int64_t b = 0; b < blocks; ++b, t += kOutputs * kLanes, y += kOutputs * task.y_step) {
      if (task.ahead != nullptr) task.ahead->share();
      V out[kOutputs];
#pragma GCC unroll 16
      for (int i = 0; i < kOutputs; ++i) out[i] = hn::Zero(D());
      if constexpr (kM == kLanes) {
        sum_repeated<kOutputs, 3>(task.x + row, t, task.w, out);
      } else if constexpr (kManyRegisters) {
        sum_passes<kM, kOutputs>(task, task.x + row, t, out, std::make_integer_sequence<int, passes(kM)>());
      } else {
        sum_turn_by_turn<kM, kOutputs, 3>(task.x + row, t, task.w, task.rotation, out);
      }
      put_outputs<kOutputs, kWhole>(task, given.y, unit, y, out);
    }
  }
}

template <int kM, bool kWhole, int... kOutputs>
HWY_INLINE void rotate_rows_3x3(const Rotate3x3& task, std::integer_sequence<int, kOutputs...>) {
  using Blocks = void (*)(const Rotate3x3&, int64_t, int64_t);
  static constexpr Blocks kBlocks[] = {rotate_blocks_3x3<kM, kOutputs + 1, kWhole>...};
  EqualBlocks(task.count, sizeof...(kOutputs)).for_each_size([&](int64_t size, int64_t first, int64_t blocks) {
    kBlocks[size - 1](task, first, blocks);
  });
}

template <int kM>
void rotate_3x3(const Rotate3x3& task) {
  constexpr std::make_integer_sequence<int, most_outputs(kM)> kOutputs;
  task.active == kLanes ? rotate_rows_3x3<kM, true>(task, kOutputs) : rotate_rows_3x3<kM, false>(task, kOutputs);
}

template <int... kM>
HWY_INLINE void rotate_any_3x3(const Rotate3x3& task, std::integer_sequence<int, kM...>) {
  static constexpr void (*kRotate[])(const Rotate3x3&) = {rotate_3x3<kM + 1>...};
  kRotate[task.M - 1](task);
}

void Rotate3x3Kernel(const Rotate3x3& task) { rotate_any_3x3(task, std::make_integer_sequence<int, kLanes>()); }

template <int... kM>
HWY_INLINE int64_t most_outputs_of(int64_t M, std::integer_sequence<int, kM...>) {
  static constexpr int kMost[] = {most_outputs(kM + 1)...};
  return kMost[M - 1];
}

int64_t MostOutputs3x3Kernel(int64_t M) { return most_outputs_of(M, std::make_integer_sequence<int, kLanes>()); }

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {
namespace {

HWY_EXPORT(Rotate3x3Kernel);
HWY_EXPORT(MostOutputs3x3Kernel);

}  // namespace

void rotate_3x3(const Rotate3x3& task) {
  if (task.pair_w == nullptr) return HWY_DYNAMIC_DISPATCH(Rotate3x3Kernel)(task);
  rotate_pairs_3x3(task);
  if (task.rows % 2 == 0) return;
  Rotate3x3 last = task;
  last.rows = 1;
  last.x += task.rows - 1;
  last.y += (task.rows - 1) * task.y_row;
  if (last.mask.x != nullptr) last.mask.x += (task.rows - 1) * task.y_row;
  HWY_DYNAMIC_DISPATCH(Rotate3x3Kernel)(last);
}
int64_t most_outputs_3x3(int64_t M) { return HWY_DYNAMIC_DISPATCH(MostOutputs3x3Kernel)(M); }

}  // namespace igcnet
#endif  // HWY_ONCE
