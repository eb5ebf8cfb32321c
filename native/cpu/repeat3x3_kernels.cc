// The loops of repeat_3x3() and repeat_gradient_3x3() (row_kernels.h), compiled once per instruction set: a single
// input is repeated over a vector by its load, and then meets all three columns of a kernel row, so 36 multiply-adds
// take 17 loads and nothing else. Sums run over kernel rows, then inputs of the group, then columns, in f32 with fused
// multiply-adds where the machine has them.
#include <algorithm>
#include <utility>

#include "cpu/equal_blocks.h"
#include "cpu/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/repeat3x3_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

// *p, repeated over a vector. It is loaded anew here, and once: GCC would keep some for later use and spill sums, and
// load others for every multiply-add.
HWY_INLINE V repeat(const float* p) {
#if HWY_COMPILER_GCC_ACTUAL && HWY_TARGET == HWY_AVX2
  V v;
  asm volatile("vbroadcastss %1, %0" : "=x"(v.raw) : "m"(*p));
  return v;
#else
  V v = hn::Set(D(), *p);
#if HWY_COMPILER_GCC_ACTUAL && HWY_TARGET == HWY_AVX3
  asm("" : "+v"(v.raw));
#endif
  return v;
#endif
}

// Outputs whose sums are in registers at a time, beside three weights and an input.
constexpr int kMostOutputs = kManyRegisters ? 16 : 11;

// Input j of a group adds to kOutputs neighbouring outputs what it has in one kernel row.
template <int kOutputs>
HWY_INLINE void add_input(const float* x, const float* w, V* out) {
  V weight[3];
#pragma GCC unroll 3
  for (int s = 0; s < 3; ++s) weight[s] = load_again(w + s * kLanes * kLanes);
#pragma GCC unroll 18
  for (int column = 0; column < kOutputs + 2; ++column) {
    const V value = repeat(x + column * kLanes);
#pragma GCC unroll 3
    for (int s = 0; s < 3; ++s) {
      if (column < s || column - s >= kOutputs) continue;
      out[column - s] = hn::MulAdd(weight[s], value, out[column - s]);
    }
  }
}

// `blocks` blocks of kOutputs columns from `first` on, of every row.
template <int kOutputs>
HWY_NOINLINE void repeat_blocks(const Rotate3x3& given, int64_t first, int64_t blocks) {
  const Rotate3x3 task = given;  // nobody else has its address, so stores to y leave it in registers
  for (int64_t row = 0; row < task.rows; ++row) {
    float* y = task.y + row * task.y_row + first * task.y_step;
    int64_t t = task.offset + first * kLanes;
    for (int64_t b = 0; b < blocks; ++b, t += kOutputs * kLanes) {
      if (task.ahead != nullptr) task.ahead->share();
      V out[kOutputs];
#pragma GCC unroll 16
      for (int i = 0; i < kOutputs; ++i) out[i] = hn::Zero(D());
      for (int r = 0; r < 3; ++r) {
        const float *x = anew(task.x[row + r] + t), *w = anew(task.w[r]);
#pragma GCC unroll 1
        for (int j = 0; j < kLanes; ++j, ++x, w += kLanes) add_input<kOutputs>(x, w, out);
      }
#pragma GCC unroll 16
      for (int i = 0; i < kOutputs; ++i, y += task.y_step) hn::StoreU(out[i], D(), y);
    }
  }
}

template <int... kOutputs>
HWY_INLINE void repeat_rows(const Rotate3x3& task, std::integer_sequence<int, kOutputs...>) {
  using Blocks = void (*)(const Rotate3x3&, int64_t, int64_t);
  static constexpr Blocks kBlocks[] = {repeat_blocks<kOutputs + 1>...};
  const EqualBlocks cut(task.count, sizeof...(kOutputs));
  if (cut.longer > 0) kBlocks[cut.size](task, 0, cut.longer);
  if (cut.blocks > cut.longer) kBlocks[cut.size - 1](task, cut.longer * (cut.size + 1), cut.blocks - cut.longer);
}

void Repeat3x3Kernel(const Rotate3x3& task) { repeat_rows(task, std::make_integer_sequence<int, kMostOutputs>()); }

// The gradients of the weights from kInputs inputs to a vector of outputs, of one kernel row; and the gradients of the
// last three outputs.
constexpr int kInputs = std::min(kManyRegisters ? 8 : 4, kLanes);

struct GradientSums {
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
HWY_NOINLINE void add_gradient(const RotateGradient3x3& task, int input, int r) {
  GradientSums sums;
#pragma GCC unroll 24
  for (int i = 0; i < 3 * kInputs; ++i) sums.sum[i] = hn::Zero(D());
  for (int64_t row = 0; row < task.rows; ++row) {
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

void RepeatGradient3x3Kernel(const RotateGradient3x3& task) {
  for (int r = 0; r < 3; ++r) {
    for (int input = 0; input < kLanes; input += kInputs) {
      if (task.ahead != nullptr) task.ahead->share();
      add_gradient(task, input, r);
    }
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

HWY_EXPORT(Repeat3x3Kernel);
HWY_EXPORT(RepeatGradient3x3Kernel);

}  // namespace

void repeat_3x3(const Rotate3x3& task) { HWY_DYNAMIC_DISPATCH(Repeat3x3Kernel)(task); }
void repeat_gradient_3x3(const RotateGradient3x3& task) { HWY_DYNAMIC_DISPATCH(RepeatGradient3x3Kernel)(task); }

}  // namespace igcnet
#endif  // HWY_ONCE
