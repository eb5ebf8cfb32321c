// The loops of RotateGradient3x3 (row_kernels.h), compiled once per instruction set: those of rotate_kernels.cc for the
// kernel that nearly all layers have, with all columns unrolled. Sums run over rows, then columns, in f32 with fused
// multiply-adds where the machine has them.
#include <algorithm>
#include <utility>

#include "cpu/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotate3x3_gradient_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_turn-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

// Whether the turns of all outputs are made before the sums, once for all kernel rows: with 16 registers there is no
// room for the indices of a turn that is no shuffle.
template <int kM>
constexpr bool kTurnsFirst = !kManyRegisters && kM > 2 && !kShuffles<kM>;
constexpr int64_t kMostTurned = 64;  // outputs of a task whose turns are made first

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

// One row of outputs with 32 registers: the inputs of the last columns stay, an output brings three.
template <int kM, int kRows, int kTurns>
HWY_INLINE void add_row_by_window(const RotateGradient3x3& task, const float* HWY_RESTRICT dy, const float* const* x,
                                  int j0, V* sum) {
  V value[kRows * 3];
  decltype(hn::SetTableIndices(D(), task.rotation)) turn[kTurns];
#pragma GCC unroll 4
  for (int j = 0; j < kTurns; ++j) turn[j] = hn::SetTableIndices(D(), task.rotation + (j0 + j) * kLanes);
  const int64_t dy_step = task.dy_step;
  load_column<kRows>(x, 0, 0, value);
  load_column<kRows>(x, kLanes, 1, value);
  int64_t at = 2 * kLanes, t = task.count;
  for (; t >= 3; t -= 3, at += 3 * kLanes, dy += 3 * dy_step) {
    add_output<kRows, kTurns, 0>(dy, x, at, turn, value, sum);
    add_output<kRows, kTurns, 1>(dy + dy_step, x, at + kLanes, turn, value, sum);
    add_output<kRows, kTurns, 2>(dy + 2 * dy_step, x, at + 2 * kLanes, turn, value, sum);
  }
  if (t > 0) add_output<kRows, kTurns, 0>(dy, x, at, turn, value, sum);
  if (t > 1) add_output<kRows, kTurns, 1>(dy + dy_step, x, at + kLanes, turn, value, sum);
}

// One row of outputs with 16 registers: up to 12 of them have sums, so inputs and gradients stream. `turned_dy`, where
// it is not null, has the turns of each output, [count][kM][lanes].
template <int kM, int kRows, int kFirst, int kTurns>
HWY_INLINE void add_row_by_loads(const RotateGradient3x3& task, const float* HWY_RESTRICT dy,
                                 const float* HWY_RESTRICT turned_dy, const float* const* x, V* sum) {
  int64_t at = 0;
  for (int64_t t = task.count; t > 0; --t, at += kLanes, dy += task.dy_step) {
    if constexpr (kRows == 1) {
      const V value[3] = {load_again(x[0] + at), load_again(x[0] + at + kLanes), load_again(x[0] + at + 2 * kLanes)};
#pragma GCC unroll 4
      for (int j = 0; j < kTurns; ++j) {
        const V gradient = kTurnsFirst<kM> ? load_again(turned_dy + at * kM + (kFirst + j) * kLanes)
                                           : turned<kM>(load_again(dy), kFirst + j, task.rotation);
#pragma GCC unroll 3
        for (int s = 0; s < 3; ++s) sum[s * kTurns + j] = hn::MulAdd(gradient, value[s], sum[s * kTurns + j]);
      }
    } else {
      V gradient[kTurns];
      const V straight = load_again(dy);
#pragma GCC unroll 2
      for (int j = 0; j < kTurns; ++j) gradient[j] = turned<kM>(straight, kFirst + j, task.rotation);
#pragma GCC unroll 9
      for (int tap = 0; tap < kRows * 3; ++tap) {
        const V value = load_again(x[tap / 3] + at + tap % 3 * kLanes);
#pragma GCC unroll 2
        for (int j = 0; j < kTurns; ++j) sum[tap * kTurns + j] = hn::MulAdd(gradient[j], value, sum[tap * kTurns + j]);
      }
    }
  }
}

// The gradients of kRows kernel rows, of three columns each, for the kTurns turns from kFirst on stay in registers over
// all rows of the task. They start at 0 and are added to dw once, so the long sum over the batch is a sum of short
// ones, which rounds less.
template <int kM, int kRows, int kFirst, int kTurns>
HWY_NOINLINE void rotate_gradient_3x3(const RotateGradient3x3& task, const float* turned_dy, int64_t r0) {
  V sum[kRows * 3 * kTurns];
#pragma GCC unroll 32
  for (int i = 0; i < kRows * 3 * kTurns; ++i) sum[i] = hn::Zero(D());
  for (int64_t row = 0; row < task.rows; ++row) {
    if (task.ahead != nullptr) task.ahead->share();
    const float* x[kRows];
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) x[r] = task.x[row + r0 + r] + task.offset;
    const float* dy = task.dy + row * task.dy_row;
    if constexpr (kManyRegisters) {
      add_row_by_window<kM, kRows, kTurns>(task, dy, x, kFirst, sum);
    } else {
      const float* turned_row = kTurnsFirst<kM> ? turned_dy + row * task.count * kM * kLanes : nullptr;
      add_row_by_loads<kM, kRows, kFirst, kTurns>(task, dy, turned_row, x, sum);
    }
  }
#pragma GCC unroll 3
  for (int r = 0; r < kRows; ++r) {
    float* dw = task.dw[r0 + r] + kFirst * kLanes;
#pragma GCC unroll 3
    for (int s = 0; s < 3; ++s) {
#pragma GCC unroll 4
      for (int j = 0; j < kTurns; ++j) {
        float* place = dw + (s * kM + j) * kLanes;
        hn::Store(hn::Add(hn::Load(D(), place), sum[(r * 3 + s) * kTurns + j]), D(), place);
      }
    }
  }
}

// How many kernel rows and turns have their sums in registers at a time.
constexpr int gradient_rows(int M) { return kManyRegisters || M == 1 ? 3 : M == 2 ? 2 : 1; }
constexpr int gradient_passes(int M) { return kManyRegisters ? (M + 1) / 2 : (M + 3) / 4; }

template <int kM, int... kPass>
HWY_INLINE void rotate_gradient_passes(const RotateGradient3x3& task, const float* turned_dy,
                                       std::integer_sequence<int, kPass...>) {
  constexpr int kPasses = sizeof...(kPass), kRows = gradient_rows(kM);
  int64_t r = 0;
  for (; r + kRows <= 3; r += kRows) {
    (rotate_gradient_3x3<kM, kRows, kM * kPass / kPasses, kM*(kPass + 1) / kPasses - kM * kPass / kPasses>(
         task, turned_dy, r),
     ...);
  }
  if constexpr (3 % kRows != 0) rotate_gradient_3x3<kM, 3 % kRows, 0, kM>(task, turned_dy, r);
}

// A task of at most kMostTurned outputs if kTurnsFirst.
template <int kM>
HWY_INLINE void rotate_gradient_part(const RotateGradient3x3& task) {
  constexpr std::make_integer_sequence<int, gradient_passes(kM)> kPasses;
  if constexpr (kTurnsFirst<kM>) {
    HWY_ALIGN float turned_dy[kMostTurned * kM * kLanes];
    float* out = turned_dy;
    for (int64_t row = 0; row < task.rows; ++row) {
      const float* dy = task.dy + row * task.dy_row;
      for (int64_t t = 0; t < task.count; ++t, dy += task.dy_step, out += kM * kLanes) {
        const V straight = hn::LoadU(D(), dy);
#pragma GCC unroll 8
        for (int j = 0; j < kM; ++j) hn::Store(turned<kM>(straight, j, task.rotation), D(), out + j * kLanes);
      }
    }
    rotate_gradient_passes<kM>(task, turned_dy, kPasses);
  } else {
    rotate_gradient_passes<kM>(task, nullptr, kPasses);
  }
}

template <int kM>
void rotate_gradient_of(const RotateGradient3x3& task) {
  if (!kTurnsFirst<kM> || task.rows * task.count <= kMostTurned) return rotate_gradient_part<kM>(task);
  RotateGradient3x3 part = task;
  for (int64_t row = 0; row < task.rows; ++row) {
    for (int64_t t = 0; t < task.count; t += kMostTurned) {
      const float* x[3];
      for (int r = 0; r < 3; ++r) x[r] = task.x[row + r] + t * kLanes;
      part.x = x;
      part.rows = 1;
      part.count = std::min(kMostTurned, task.count - t);
      part.dy = task.dy + row * task.dy_row + t * task.dy_step;
      rotate_gradient_part<kM>(part);
    }
  }
}

// Groups of kLanes channels: the gradients of the weights from kInputs inputs to a vector of outputs, of one kernel
// row; and the gradients of the last three outputs.
constexpr int kInputs = std::min(kManyRegisters ? 8 : 4, kLanes);

struct RepeatedSums {
  V sum[3 * kInputs];
  V dy[3];

  // The inputs at x meet the outputs of columns kColumn - s, s in [kFirst, kEnd), modulo 3.
  template <int kColumn, int kFirst, int kEnd>
  HWY_INLINE void add(const float* x, const float* gradient) {
    if constexpr (kFirst == 0) dy[kColumn] = load_again(gradient);
#pragma GCC unroll 8
    for (int j = 0; j < kInputs; ++j) {
      const V value = repeat(x + j);
#pragma GCC unroll 3
      for (int s = kFirst; s < kEnd; ++s) {
        sum[s * kInputs + j] = hn::MulAdd(dy[(kColumn + 3 - s) % 3], value, sum[s * kInputs + j]);
      }
    }
  }

  // The last two columns of inputs, over which no output begins.
  template <int kColumn>
  HWY_INLINE void end(const float* x) {
    add<kColumn, 1, 3>(x, nullptr);
    add<(kColumn + 1) % 3, 2, 3>(x + kLanes, nullptr);
  }

  HWY_INLINE void add_row(const float* HWY_RESTRICT x, int64_t count, const float* HWY_RESTRICT gradient,
                          int64_t step) {
    add<0, 0, 1>(x, gradient);
    if (count == 1) {
      add<1, 1, 2>(x + kLanes, nullptr);
      return add<2, 2, 3>(x + 2 * kLanes, nullptr);
    }
    add<1, 0, 2>(x + kLanes, gradient += step);
    x += 2 * kLanes;
    for (count -= 2; count >= 3; count -= 3, x += 3 * kLanes) {
      add<2, 0, 3>(x, gradient += step);
      add<0, 0, 3>(x + kLanes, gradient += step);
      add<1, 0, 3>(x + 2 * kLanes, gradient += step);
    }
    if (count == 0) return end<2>(x);
    add<2, 0, 3>(x, gradient += step);
    if (count == 1) return end<0>(x + kLanes);
    add<0, 0, 3>(x + kLanes, gradient + step);
    end<1>(x + 2 * kLanes);
  }
};

// Of inputs from `input` on and kernel row r. They stay in registers over all rows of the task. They start at 0 and are
// added to dw once, so the long sum over the batch is a sum of short ones, which rounds less.
HWY_NOINLINE void add_repeated_gradient(const RotateGradient3x3& task, int input, int r) {
  RepeatedSums sums;
#pragma GCC unroll 24
  for (int i = 0; i < 3 * kInputs; ++i) sums.sum[i] = hn::Zero(D());
  for (int64_t row = 0; row < task.rows; ++row) {
    if (task.ahead != nullptr) task.ahead->share();
    sums.add_row(task.x[row + r] + task.offset + input, task.count, task.dy + row * task.dy_row, task.dy_step);
  }
#pragma GCC unroll 3
  for (int s = 0; s < 3; ++s) {
#pragma GCC unroll 8
    for (int j = 0; j < kInputs; ++j) {
      float* place = task.dw[r] + (s * kLanes + input + j) * kLanes;
      hn::Store(hn::Add(hn::Load(D(), place), sums.sum[s * kInputs + j]), D(), place);
    }
  }
}

template <int kM>
void gradient_of_unit(const RotateGradient3x3& task) {
  if constexpr (kM == kLanes) {
    for (int r = 0; r < 3; ++r) {
      for (int input = 0; input < kLanes; input += kInputs) add_repeated_gradient(task, input, r);
    }
  } else {
    rotate_gradient_of<kM>(task);
  }
}

template <int kM>
void gradient_of(const RotateGradient3x3& task) {
  RotateGradient3x3 unit = task;
  for (int64_t i = 0; i < task.units; ++i) {
    gradient_of_unit<kM>(unit);
    next_unit(unit);
  }
}

template <int... kM>
HWY_INLINE void rotate_gradient_any_3x3(const RotateGradient3x3& task, std::integer_sequence<int, kM...>) {
  static constexpr void (*kGradient[])(const RotateGradient3x3&) = {gradient_of<kM + 1>...};
  kGradient[task.M - 1](task);
}

void RotateGradient3x3Kernel(const RotateGradient3x3& task) {
  rotate_gradient_any_3x3(task, std::make_integer_sequence<int, kLanes>());
}

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {
namespace {

HWY_EXPORT(RotateGradient3x3Kernel);

}  // namespace

void rotate_gradient_3x3(const RotateGradient3x3& task) {
  if (!task.pairs) return HWY_DYNAMIC_DISPATCH(RotateGradient3x3Kernel)(task);
  rotate_gradient_pairs_3x3(task);
  if (task.rows % 2 == 0) return;
  RotateGradient3x3 last = task;
  last.rows = 1;
  last.x += task.rows - 1;
  last.dy += (task.rows - 1) * task.dy_row;
  HWY_DYNAMIC_DISPATCH(RotateGradient3x3Kernel)(last);
}

}  // namespace igcnet
#endif  // HWY_ONCE
