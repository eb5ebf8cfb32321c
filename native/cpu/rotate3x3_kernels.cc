// The loops of Rotate3x3 and RotateGradient3x3 (row_kernels.h), compiled once per instruction set: those of
// rotate_kernels.cc for the kernel that nearly all layers have, with all taps unrolled and every input loaded once for
// the three columns that it meets. Sums run over kernel rows, then columns, in f32 with fused multiply-adds where the
// machine has them.
#include <algorithm>
#include <utility>

#include "cpu/equal_blocks.h"
#include "cpu/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotate3x3_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

// The turns j of a block are summed a few at a time: as many as leave registers for several outputs.
constexpr int kMostTurns = kManyRegisters ? 4 : 2;
constexpr int passes(int M) { return (M + kMostTurns - 1) / kMostTurns; }
constexpr int turns(int M) { return (M + passes(M) - 1) / passes(M); }  // of the largest pass

// In registers are the sums, the inputs, a weight, and with more than one pass the outputs so far.
constexpr int most_outputs(int M) {
  constexpr int kRegisters = kManyRegisters ? 28 : 15, kMost = 8;
  const int per_output = turns(M) + 1 + (passes(M) > 1 ? 1 : 0);
  return std::clamp((kRegisters - 3) / per_output, 1, kMost);
}

// Turns [kFirst, kEnd) of the outputs whose first input is x[0][t].
template <int kM, int kFirst, int kEnd, int kOutputs>
HWY_INLINE void sum_turns(const Rotate3x3& task, const float* const* rows, int64_t t, V* out) {
  constexpr int kTurns = kEnd - kFirst;
  const int64_t pixel = task.pixel;
  V sum[kTurns * kOutputs];
#pragma GCC unroll 32
  for (int i = 0; i < kTurns * kOutputs; ++i) sum[i] = hn::Zero(D());
#pragma GCC unroll 3
  for (int r = 0; r < 3; ++r) {
    const float* HWY_RESTRICT x = rows[r] + t;
    const float* HWY_RESTRICT w = task.w[r] + kFirst * kLanes;
    V value[kOutputs + 2];
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs + 2; ++i) value[i] = load_once(x + i * pixel);
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
#pragma GCC unroll 32
  for (int j = 0; j < kTurns; ++j) {
    if constexpr (kFirst == 0) {
      if (j == 0) {
#pragma GCC unroll 32
        for (int i = 0; i < kOutputs; ++i) out[i] = sum[i * kTurns];
        continue;
      }
    }
    const auto turn = hn::SetTableIndices(D(), task.rotation + (kFirst + j) * kLanes);
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs; ++i) out[i] = hn::Add(out[i], hn::TableLookupLanes(sum[i * kTurns + j], turn));
  }
}

template <int kM, int kOutputs, int... kPass>
HWY_INLINE void sum_passes(const Rotate3x3& task, const float* const* rows, int64_t t, V* out,
                           std::integer_sequence<int, kPass...>) {
  constexpr int kPasses = sizeof...(kPass);
  (sum_turns<kM, kM * kPass / kPasses, kM*(kPass + 1) / kPasses, kOutputs>(task, rows, t, out), ...);
}

// `blocks` blocks of kOutputs columns from `first` on, of every row.
template <int kM, int kOutputs>
HWY_NOINLINE void rotate_blocks_3x3(const Rotate3x3& task, int64_t first, int64_t blocks) {
  for (int64_t row = 0; row < task.rows; ++row) {
    float* y = task.y + row * task.y_row + first * task.y_step;
    int64_t t = first * task.pixel;
    for (int64_t b = 0; b < blocks; ++b, t += kOutputs * task.pixel, y += kOutputs * task.y_step) {
      if (task.ahead != nullptr) task.ahead->share();
      V out[kOutputs];
      sum_passes<kM, kOutputs>(task, task.x + row, t, out, std::make_integer_sequence<int, passes(kM)>());
      if (task.active == kLanes) {
#pragma GCC unroll 32
        for (int i = 0; i < kOutputs; ++i) hn::StoreU(out[i], D(), y + i * task.y_step);
      } else {
        for (int i = 0; i < kOutputs; ++i) store_first(out[i], task.active, y + i * task.y_step);
      }
    }
  }
}

template <int kM, int... kOutputs>
HWY_INLINE void rotate_rows_3x3(const Rotate3x3& task, std::integer_sequence<int, kOutputs...>) {
  using Blocks = void (*)(const Rotate3x3&, int64_t, int64_t);
  static constexpr Blocks kBlocks[] = {rotate_blocks_3x3<kM, kOutputs + 1>...};
  const EqualBlocks cut(task.count, sizeof...(kOutputs));
  if (cut.longer > 0) kBlocks[cut.size](task, 0, cut.longer);
  if (cut.blocks > cut.longer) {
    kBlocks[cut.size - 1](task, cut.longer * (cut.size + 1), cut.blocks - cut.longer);
  }
}

template <int kM>
void rotate_3x3(const Rotate3x3& task) {
  rotate_rows_3x3<kM>(task, std::make_integer_sequence<int, most_outputs(kM)>());
}

template <int... kM>
HWY_INLINE void rotate_any_3x3(const Rotate3x3& task, std::integer_sequence<int, kM...>) {
  static constexpr void (*kRotate[])(const Rotate3x3&) = {rotate_3x3<kM + 1>...};
  kRotate[task.M - 1](task);
}

// M is below the lanes.
void Rotate3x3Kernel(const Rotate3x3& task) {
  rotate_any_3x3(task, std::make_integer_sequence<int, std::max(kLanes - 1, 1)>());
}

// Column `column` of kRows input rows; that of column c is kept at c % 3.
template <int kRows>
HWY_INLINE void load_column(const float* const* x, int64_t at, int column, V* value) {
#pragma GCC unroll 3
  for (int r = 0; r < kRows; ++r) value[r * 3 + column] = load_once(x[r] + at);
}

// What an output adds whose first input column is kept at kColumn and whose last one is x[..][at].
template <int kRows, int kTurns, int kColumn, class Turn>
HWY_INLINE void add_output(const float* dy, const float* const* x, int64_t at, const Turn* turn, V* value, V* sum) {
  load_column<kRows>(x, at, (kColumn + 2) % 3, value);
  const V straight = hn::LoadU(D(), dy);
  V gradient[kTurns];
#pragma GCC unroll 4
  for (int j = 0; j < kTurns; ++j) gradient[j] = hn::TableLookupLanes(straight, turn[j]);
#pragma GCC unroll 9
  for (int tap = 0; tap < kRows * 3; ++tap) {
    const V input = value[tap / 3 * 3 + (kColumn + tap) % 3];
#pragma GCC unroll 4
    for (int j = 0; j < kTurns; ++j) sum[tap * kTurns + j] = hn::MulAdd(gradient[j], input, sum[tap * kTurns + j]);
  }
}

// The gradients of kRows kernel rows, of three columns each, for the kTurns turns from j0 on stay in registers over all
// rows of the task; so do the inputs of the last columns. They start at 0 and are added to dw once, so the long sum
// over the batch is a sum of short ones, which rounds less.
template <int kRows, int kTurns>
HWY_NOINLINE void rotate_gradient_3x3(const RotateGradient3x3& task, int64_t r0, int64_t j0) {
  V sum[kRows * 3 * kTurns], value[kRows * 3];
#pragma GCC unroll 32
  for (int i = 0; i < kRows * 3 * kTurns; ++i) sum[i] = hn::Zero(D());
  decltype(hn::SetTableIndices(D(), task.rotation)) turn[kTurns];
#pragma GCC unroll 4
  for (int j = 0; j < kTurns; ++j) turn[j] = hn::SetTableIndices(D(), task.rotation + (j0 + j) * kLanes);
  const int64_t pixel = task.pixel, dy_step = task.dy_step;
  for (int64_t row = 0; row < task.rows; ++row) {
    if (task.ahead != nullptr) task.ahead->share();
    const float* x[kRows];
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) x[r] = task.x[row + r0 + r];
    const float* HWY_RESTRICT dy = task.dy + row * task.dy_row;
    load_column<kRows>(x, 0, 0, value);
    load_column<kRows>(x, pixel, 1, value);
    int64_t at = 2 * pixel, t = task.count;
    for (; t >= 3; t -= 3, at += 3 * pixel, dy += 3 * dy_step) {
      add_output<kRows, kTurns, 0>(dy, x, at, turn, value, sum);
      add_output<kRows, kTurns, 1>(dy + dy_step, x, at + pixel, turn, value, sum);
      add_output<kRows, kTurns, 2>(dy + 2 * dy_step, x, at + 2 * pixel, turn, value, sum);
    }
    if (t > 0) add_output<kRows, kTurns, 0>(dy, x, at, turn, value, sum);
    if (t > 1) add_output<kRows, kTurns, 1>(dy + dy_step, x, at + pixel, turn, value, sum);
  }
#pragma GCC unroll 3
  for (int r = 0; r < kRows; ++r) {
    float* dw = task.dw[r0 + r] + j0 * kLanes;
#pragma GCC unroll 3
    for (int s = 0; s < 3; ++s) {
#pragma GCC unroll 4
      for (int j = 0; j < kTurns; ++j) {
        float* place = dw + (s * task.M + j) * kLanes;
        hn::Store(hn::Add(hn::Load(D(), place), sum[(r * 3 + s) * kTurns + j]), D(), place);
      }
    }
  }
}

void RotateGradient3x3Kernel(const RotateGradient3x3& task) {
  constexpr int kRows = kManyRegisters ? 3 : 1;  // whose windows the registers hold
  for (int64_t r = 0; r < 3; r += kRows) {
    for_equal_blocks<2>(task.M, [&](int64_t j, int64_t turns) {
      if (turns == 1) {
        rotate_gradient_3x3<kRows, 1>(task, r, j);
      } else {
        rotate_gradient_3x3<kRows, 2>(task, r, j);
      }
    });
  }
}

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {
namespace {

HWY_EXPORT(Rotate3x3Kernel);
HWY_EXPORT(RotateGradient3x3Kernel);

}  // namespace

void rotate_3x3(const Rotate3x3& task) { HWY_DYNAMIC_DISPATCH(Rotate3x3Kernel)(task); }
void rotate_gradient_3x3(const RotateGradient3x3& task) { HWY_DYNAMIC_DISPATCH(RotateGradient3x3Kernel)(task); }

}  // namespace igcnet
#endif  // HWY_ONCE
