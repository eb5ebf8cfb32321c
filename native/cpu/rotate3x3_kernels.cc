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

constexpr int kMostChannels = std::max(kLanes - 1, 1);  // in a group

// Whether a turn consists of shuffles within 128 bits and changes of neighbouring 128 bits, which cost an operation
// each.
template <int kM>
constexpr bool kShuffles = (kM == 2 || kM == 4 || kM == 8) && kLanes > 1;

// Lane i of a turned vector is lane rotation[j][i] of the vector: i xor j if kShuffles.
template <int kM>
HWY_INLINE V turned(V v, int j, const int32_t* rotation) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kShuffles<kM>) {
    if (j & 1) v = j & 2 ? hn::Shuffle0123(v) : hn::Shuffle2301(v);
    if ((j & 3) == 2) v = hn::Shuffle1032(v);
    if constexpr (kM == 8) {
      if (j & 4) v = hn::SwapAdjacentBlocks(v);
    }
    return v;
  }
#endif
  return hn::TableLookupLanes(v, hn::SetTableIndices(D(), rotation + j * kLanes));
}

// With 32 registers the turns j of a block are summed a few at a time: as many as leave registers for several outputs.
constexpr int kMostTurns = 4;
constexpr int passes(int M) { return (M + kMostTurns - 1) / kMostTurns; }
constexpr int turns(int M) { return (M + passes(M) - 1) / passes(M); }  // of the largest pass

// With 32 registers, in them are the sums, the inputs, a weight, and with more than one pass the outputs so far; with
// 16, a sum for each output, an input and three weights.
constexpr int most_outputs(int M) {
  if (!kManyRegisters) return 11;
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

// With 16 registers there is one sum for each output, which is turned on from j to j: when that of the next j is added
// to it, what is there already has come as far as that one has. Each input is loaded once for the three columns that it
// meets, so 36 multiply-adds take 17 loads.
template <int kM, int kOutputs>
HWY_INLINE void sum_turn_by_turn(const Rotate3x3& task, const float* const* rows, int64_t t, V* out) {
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) out[i] = hn::Zero(D());
#pragma GCC unroll 8
  for (int turn = kM - 1; turn >= 0; --turn) {
    // Neighbours differ in one bit, or by 1.
    const auto place = [](int i) { return kShuffles<kM> ? i ^ (i >> 1) : i; };
    const int j = place(turn);
    for (int r = 0; r < 3; ++r) {
      const float *x = anew(rows[r] + t), *w = anew(task.w[r] + j * kLanes);
      V weight[3];
#pragma GCC unroll 3
      for (int s = 0; s < 3; ++s) weight[s] = load_again(w + s * kM * kLanes);
#pragma GCC unroll 16
      for (int column = 0; column < kOutputs + 2; ++column) {
        const V value = load_again(x + column * kLanes);
#pragma GCC unroll 3
        for (int s = 0; s < 3; ++s) {
          if (column < s || column - s >= kOutputs) continue;
          out[column - s] = hn::MulAdd(weight[s], value, out[column - s]);
        }
      }
    }
    if (turn == 0) return;
    const int step = kShuffles<kM> ? j ^ place(turn - 1) : 1;
#pragma GCC unroll 16
    for (int i = 0; i < kOutputs; ++i) out[i] = turned<kM>(out[i], step, task.rotation);
  }
}

// `blocks` blocks of kOutputs columns from `first` on, of every row. kWhole: all lanes are stored.
template <int kM, int kOutputs, bool kWhole>
HWY_NOINLINE void rotate_blocks_3x3(const Rotate3x3& given, int64_t first, int64_t blocks) {
  const Rotate3x3 task = given;  // nobody else has its address, so stores to y leave it in registers
  for (int64_t row = 0; row < task.rows; ++row) {
    float* y = task.y + row * task.y_row + first * task.y_step;
    int64_t t = task.offset + first * kLanes;
    for (int64_t b = 0; b < blocks; ++b, t += kOutputs * kLanes, y += kOutputs * task.y_step) {
      if (task.ahead != nullptr) task.ahead->share();
      V out[kOutputs];
      if constexpr (kManyRegisters) {
        sum_passes<kM, kOutputs>(task, task.x + row, t, out, std::make_integer_sequence<int, passes(kM)>());
      } else {
        sum_turn_by_turn<kM, kOutputs>(task, task.x + row, t, out);
      }
#pragma GCC unroll 32
      for (int i = 0; i < kOutputs; ++i) {
        if constexpr (kWhole) {
          hn::StoreU(out[i], D(), y + i * task.y_step);
        } else {
          store_first(out[i], task.active, y + i * task.y_step);
        }
      }
    }
  }
}

template <int kM, bool kWhole, int... kOutputs>
HWY_INLINE void rotate_rows_3x3(const Rotate3x3& task, std::integer_sequence<int, kOutputs...>) {
  using Blocks = void (*)(const Rotate3x3&, int64_t, int64_t);
  static constexpr Blocks kBlocks[] = {rotate_blocks_3x3<kM, kOutputs + 1, kWhole>...};
  const EqualBlocks cut(task.count, sizeof...(kOutputs));
  if (cut.longer > 0) kBlocks[cut.size](task, 0, cut.longer);
  if (cut.blocks > cut.longer) {
    kBlocks[cut.size - 1](task, cut.longer * (cut.size + 1), cut.blocks - cut.longer);
  }
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

void Rotate3x3Kernel(const Rotate3x3& task) { rotate_any_3x3(task, std::make_integer_sequence<int, kMostChannels>()); }

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

template <int... kM>
HWY_INLINE void rotate_gradient_any_3x3(const RotateGradient3x3& task, std::integer_sequence<int, kM...>) {
  static constexpr void (*kGradient[])(const RotateGradient3x3&) = {rotate_gradient_of<kM + 1>...};
  kGradient[task.M - 1](task);
}

void RotateGradient3x3Kernel(const RotateGradient3x3& task) {
  rotate_gradient_any_3x3(task, std::make_integer_sequence<int, kMostChannels>());
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
