// The loops of Rotate3x3 (row_kernels.h) for two output rows at a time where rotate3x3_pair_kernels.cc does not take
// them: with 16 registers from 5 channels a group on, and for groups of a vector. Of four input rows d and three kernel
// rows g, as there,
//   p = (d1 + d2) * (g0 + g1 + g2) / 2,  q = (d2 - d1) * (g0 - g1 + g2) / 2
//   y0 = p + q + (d0 - d2) * g0,         y1 = p - q + (d3 - d1) * g2
// The four sums of input rows are made first, a strip of columns at a time in the L1 cache; then each of the four
// products is a convolution of one row, by the loops that single rows have.
#include <utility>

#include "cpu/equal_blocks.h"
#include "cpu/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotate3x3_sum_rows_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_turn-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3

// Fewer channels go by rotate3x3_pair_kernels.cc, or have too few products for the sums.
constexpr int kFewestM = kManyRegisters ? kLanes : 5;
constexpr int64_t kMostColumns = 64;  // of a strip

// The sums that p, q, and what is added to y0 and to y1 are made of.
struct SumRows {
  HWY_ALIGN float rows[4][(kMostColumns + 2) * kLanes];

  // Of `columns` columns of the input rows x, from place `at` on.
  HWY_INLINE void fill(const float* const* x, int64_t at, int64_t columns) {
    const float *x0 = x[0] + at, *x1 = x[1] + at, *x2 = x[2] + at, *x3 = x[3] + at;
    for (int64_t i = 0; i < columns * kLanes; i += kLanes) {
      const V d1 = hn::LoadU(D(), x1 + i), d2 = hn::LoadU(D(), x2 + i);
      hn::Store(hn::Add(d1, d2), D(), rows[0] + i);
      hn::Store(hn::Sub(d2, d1), D(), rows[1] + i);
      hn::Store(hn::Sub(hn::LoadU(D(), x0 + i), d2), D(), rows[2] + i);
      hn::Store(hn::Sub(hn::LoadU(D(), x3 + i), d1), D(), rows[3] + i);
    }
  }
};

// `blocks` blocks of kOutputs columns of two rows, from place t of the sums and from y on. kWhole: all lanes are
// stored.
template <int kM, int kOutputs, bool kWhole>
HWY_NOINLINE void sum_row_blocks(const Rotate3x3& given, int64_t unit, const SumRows& sums, int64_t t, float* y,
                                 int64_t blocks) {
  const Rotate3x3 task = given;  // nobody else has its address, so stores to y leave it in registers
  const float* const unit_w = task.pair_w + unit * task.w_unit;
  HWY_ALIGN float inner[2][kOutputs * kLanes];  // p + q, p - q
  for (int64_t b = 0; b < blocks; ++b, t += kOutputs * kLanes, y += kOutputs * task.y_step) {
#pragma GCC unroll 1
    for (int product = 0; product < 4; ++product) {
      constexpr int kWeights[] = {1, 2, 0, 3};
      if (task.ahead != nullptr) task.ahead->share();
      const float *row = sums.rows[product], *w = unit_w + kWeights[product] * 3 * kM * kLanes;
      V out[kOutputs];
#pragma GCC unroll 16
      for (int i = 0; i < kOutputs; ++i) out[i] = hn::Zero(D());
      if constexpr (kM == kLanes) {
        sum_repeated<kOutputs, 1>(&row, t, &w, out);
      } else {
        sum_turn_by_turn<kM, kOutputs, 1>(&row, t, &w, task.rotation, out);
      }
      if (product == 0) {
#pragma GCC unroll 16
        for (int i = 0; i < kOutputs; ++i) hn::Store(out[i], D(), inner[0] + i * kLanes);
        continue;
      }
      if (product == 1) {
#pragma GCC unroll 16
        for (int i = 0; i < kOutputs; ++i) {
          const V p = hn::Load(D(), inner[0] + i * kLanes);
          hn::Store(hn::Add(p, out[i]), D(), inner[0] + i * kLanes);
          hn::Store(hn::Sub(p, out[i]), D(), inner[1] + i * kLanes);
        }
        continue;
      }
      const float* of_row = inner[product - 2];
      float* y_row = y + (product - 2) * task.y_row;
#pragma GCC unroll 16
      for (int i = 0; i < kOutputs; ++i) out[i] = hn::Add(hn::Load(D(), of_row + i * kLanes), out[i]);
      put_outputs<kOutputs, kWhole>(task, task.y, unit, y_row, out);
    }
  }
}

template <int kM, bool kWhole, int... kOutputs>
HWY_INLINE void rotate_sum_rows_of(const Rotate3x3& task, std::integer_sequence<int, kOutputs...>) {
  using Blocks = void (*)(const Rotate3x3&, int64_t, const SumRows&, int64_t, float*, int64_t);
  static constexpr Blocks kBlocks[] = {sum_row_blocks<kM, kOutputs + 1, kWhole>...};
  SumRows sums;
  for (int64_t unit = 0; unit < task.units; ++unit) {
    for (int64_t row = 0; row + 2 <= task.rows; row += 2) {
      float* y = task.y + unit * task.y_unit + row * task.y_row;
      for_equal_blocks<kMostColumns>(task.count, [&](int64_t begin, int64_t columns) HWY_ATTR {
        sums.fill(task.x + row, task.offset + unit * task.x_unit + begin * kLanes, columns + 2);
        EqualBlocks(columns, sizeof...(kOutputs)).for_each_size([&](int64_t size, int64_t first, int64_t blocks) {
          kBlocks[size - 1](task, unit, sums, first * kLanes, y + (begin + first) * task.y_step, blocks);
        });
      });
    }
  }
}

template <int... kM>
HWY_INLINE void rotate_any_sum_rows(const Rotate3x3& task, std::integer_sequence<int, kM...>) {
  static constexpr void (*kRotate[])(const Rotate3x3&) = {[](const Rotate3x3& of_m) HWY_ATTR {
    constexpr std::make_integer_sequence<int, kMostSums> kOutputs;
    of_m.active == kLanes ? rotate_sum_rows_of<kFewestM + kM, true>(of_m, kOutputs)
                          : rotate_sum_rows_of<kFewestM + kM, false>(of_m, kOutputs);
  }...};
  kRotate[task.M - kFewestM](task);
}

int64_t MostSumRowOutputsKernel(int64_t M) { return M >= kFewestM ? kMostSums : 0; }

#else

int64_t MostSumRowOutputsKernel(int64_t) { return 0; }

#endif

void RotateSumRows3x3Kernel(const Rotate3x3& task) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  rotate_any_sum_rows(task, std::make_integer_sequence<int, kLanes - kFewestM + 1>());
#else
  (void)task;
#endif
}

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {
namespace {

HWY_EXPORT(RotateSumRows3x3Kernel);
HWY_EXPORT(MostSumRowOutputsKernel);

}  // namespace

void rotate_sum_rows_3x3(const Rotate3x3& task) { HWY_DYNAMIC_DISPATCH(RotateSumRows3x3Kernel)(task); }
int64_t most_sum_row_outputs_3x3(int64_t M) { return HWY_DYNAMIC_DISPATCH(MostSumRowOutputsKernel)(M); }

}  // namespace igcnet
#endif  // HWY_ONCE
