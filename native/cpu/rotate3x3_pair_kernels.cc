// The loops of Rotate3x3 (row_kernels.h) for two output rows at a time: Winograd's F(2, 3) over the rows (Lavin and
// Gray 2016), 12 multiply-adds for 18. Of four input rows d and three kernel rows g
//   p = (d1 + d2) * (g0 + g1 + g2) / 2,  q = (d2 - d1) * (g0 - g1 + g2) / 2
//   y0 = p + q + (d0 - d2) * g0,         y1 = p - q + (d3 - d1) * g2
// where * sums over columns and channels. Inputs are turned here, not sums, so an output has one sum. With 16 registers
// the products come one after the other, of groups of 2 and 4: others go by rotate3x3_sum_rows_kernels.cc, or by single
// rows. Here is also which pairs go where.
#include <utility>

#include "cpu/equal_blocks.h"
#include "cpu/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotate3x3_pair_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_turn-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2

// Of a row, with a sum each: beside six weights, four inputs and the indices of a turn; with 16 registers beside six
// weights and two inputs, so there turns must be shuffles, of two inputs or more that share the sums of rows.
constexpr int kMostOutputs = kManyRegisters ? 10 : 8;
constexpr int kMostM = kManyRegisters ? kLanes - 1 : 4;
constexpr bool takes(int M) { return kManyRegisters ? M <= kMostM : M == 2 || M == 4; }

// The weights of a turn for p and q, from wp and wq on, `column` floats apart.
struct TurnWeights {
  V p[3], q[3];

  HWY_INLINE TurnWeights(const float* wp, const float* wq, int column) {
#pragma GCC unroll 3
    for (int s = 0; s < 3; ++s) {
      p[s] = load_once(wp + s * column);
      q[s] = load_once(wq + s * column);
    }
  }

  // What the inputs v and u of a column add to the sums of the outputs that they meet.
  template <int kOutputs>
  HWY_INLINE void add_column(int column, V v, V u, V* sum_p, V* sum_q) const {
#pragma GCC unroll 3
    for (int s = 0; s < 3; ++s) {
      if (column < s || column - s >= kOutputs) continue;
      sum_p[column - s] = hn::MulAdd(p[s], v, sum_p[column - s]);
      sum_q[column - s] = hn::MulAdd(q[s], u, sum_q[column - s]);
    }
  }
};

// What turn j adds to p and q, with the weights from wp and wq on. kOuter: of the first and the last kernel row.
template <int kM, int kOutputs, bool kOuter, class Turn>
HWY_INLINE void add_turn(const float* const* x, const float* wp, const float* wq, const Turn& turn, Prefetch* ahead,
                         V* p, V* q) {
  if (ahead != nullptr) ahead->share();
  const TurnWeights weights(wp, wq, kM * kLanes);
  const float *x0 = kOuter ? anew(x[0]) : nullptr, *x3 = kOuter ? anew(x[3]) : nullptr;
  const float *x1 = anew(x[1]), *x2 = anew(x[2]);
#pragma GCC unroll 12
  for (int column = 0; column < kOutputs + 2; ++column) {
    const int at = column * kLanes;
    const V d1 = inner_row<kOuter>(x1 + at), d2 = inner_row<kOuter>(x2 + at);
    const V v = computed(turn(kOuter ? hn::Sub(hn::LoadU(D(), x0 + at), d2) : hn::Add(d1, d2)));
    const V u = computed(turn(kOuter ? hn::Sub(hn::LoadU(D(), x3 + at), d1) : hn::Sub(d2, d1)));
    weights.add_column<kOutputs>(column, v, u, p, q);
  }
}

// Few turns: each makes the sums of inputs anew, since storing them would cost more.
template <int kM, int kOutputs, bool kOuter, int... kJ>
HWY_INLINE void add_few_turns(const float* const* x, const float* wp, const float* wq, const int32_t* rotation,
                              Prefetch* ahead, V* p, V* q, std::integer_sequence<int, kJ...>) {
  (add_turn<kM, kOutputs, kOuter>(
       x, wp + kJ * kLanes, wq + kJ * kLanes, [=](V v) HWY_ATTR { return turned<kM>(v, kJ, rotation); },
       kJ % 2 == 0 ? ahead : nullptr, p, q),
   ...);
}

// Likewise of inputs that load(place, v, u) gives for each column. (Few turns by this loop are a tenth slower with
// GCC.)
template <int kM, int kOutputs, class Load>
HWY_INLINE void add_products(const float* wp, const float* wq, Prefetch* ahead, V* p, V* q, const Load& load) {
  if (ahead != nullptr) ahead->share();
  const TurnWeights weights(wp, wq, kM * kLanes);
#pragma GCC unroll 12
  for (int column = 0; column < kOutputs + 2; ++column) {
    V v, u;
    load(column * kLanes, v, u);
    weights.add_column<kOutputs>(column, v, u, p, q);
  }
}

// Many turns: turn 0 leaves the sums in the L1 cache for the others.
template <int kM, int kOutputs, bool kOuter>
HWY_INLINE void add_many_turns(const float* const* x, const float* wp, const float* wq, const int32_t* rotation,
                               Prefetch* ahead, V* p, V* q) {
  HWY_ALIGN float sums[2][(kOutputs + 2) * kLanes];
  const float *x0 = kOuter ? anew(x[0]) : nullptr, *x3 = kOuter ? anew(x[3]) : nullptr;
  const float *x1 = anew(x[1]), *x2 = anew(x[2]);
  add_products<kM, kOutputs>(wp, wq, ahead, p, q, [&](int at, V& v, V& u) HWY_ATTR {
    const V d1 = inner_row<kOuter>(x1 + at), d2 = inner_row<kOuter>(x2 + at);
    v = computed(kOuter ? hn::Sub(hn::LoadU(D(), x0 + at), d2) : hn::Add(d1, d2));
    u = computed(kOuter ? hn::Sub(hn::LoadU(D(), x3 + at), d1) : hn::Sub(d2, d1));
    hn::Store(v, D(), sums[0] + at);
    hn::Store(u, D(), sums[1] + at);
  });
  const float *sums_v = anew(sums[0]), *sums_u = anew(sums[1]);
#pragma GCC unroll 1
  for (int j = 1; j < kM; ++j) {
    const auto indices = hn::SetTableIndices(D(), rotation + j * kLanes);
    add_products<kM, kOutputs>(anew(wp) + j * kLanes, anew(wq) + j * kLanes, j % 2 == 0 ? ahead : nullptr, p, q,
                               [&](int at, V& v, V& u) HWY_ATTR {
                                 v = computed(hn::TableLookupLanes(hn::Load(D(), sums_v + at), indices));
                                 u = computed(hn::TableLookupLanes(hn::Load(D(), sums_u + at), indices));
                               });
  }
}

constexpr bool few_turns(int M) { return M <= 4; }

template <int kM, int kOutputs, bool kOuter>
HWY_INLINE void add_turns(const float* const* x, const float* wp, const float* wq, const int32_t* rotation,
                          Prefetch* ahead, V* p, V* q) {
  if constexpr (few_turns(kM)) {
    add_few_turns<kM, kOutputs, kOuter>(x, wp, wq, rotation, ahead, p, q, std::make_integer_sequence<int, kM>());
  } else {
    add_many_turns<kM, kOutputs, kOuter>(x, wp, wq, rotation, ahead, p, q);
  }
}

// Columns in an order that keeps those apart which add to the same sum: it would wait for itself.
constexpr int column_at(int i, int columns) { return i % 2 == 0 ? i / 2 : (columns + 1) / 2 + i / 2; }

// With 16 registers: one product, of the sums (kSum) or differences of the rows a and b, two turns at a time, each of
// three weights. kFirst: nothing was added to `sum` before.
template <int kM, int kOutputs, bool kSum, bool kFirst>
HWY_INLINE void add_product(const float* a, const float* b, const float* w, const int32_t* rotation, Prefetch* ahead,
                            V* sum) {
  bool fresh[kOutputs];
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) fresh[i] = kFirst;
#pragma GCC unroll 2
  for (int first = 0; first < kM; first += 2) {
    if (ahead != nullptr) ahead->share();
    const float *row_a = anew(a), *row_b = anew(b), *weights = anew(w + first * kLanes);
    V weight[3][2];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) weight[i / 2][i % 2] = load_again(weights + (i / 2 * kM + i % 2) * kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < kOutputs + 2; ++i) {
      const int column = column_at(i, kOutputs + 2);
      const V left = load_again(row_a + column * kLanes), right = hn::LoadU(D(), row_b + column * kLanes);
      const V straight = kSum ? hn::Add(left, right) : hn::Sub(left, right);
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        const V input = turned<kM>(straight, first + j, rotation);
#pragma GCC unroll 3
        for (int s = 0; s < 3; ++s) {
          const int output = column - s;
          if (output < 0 || output >= kOutputs) continue;
          sum[output] = fresh[output] ? hn::Mul(weight[s][j], input) : hn::MulAdd(weight[s][j], input, sum[output]);
          fresh[output] = false;
        }
      }
    }
  }
}

// Outputs of one row, behind the mask if kMasked; returns the place behind them.
template <int kOutputs, bool kWhole, bool kMasked>
HWY_INLINE float* put_row(const Rotate3x3& task, int64_t unit, int64_t step, float* y, V* out) {
  if constexpr (kMasked) {
    MaskedBlock masked(task.mask, unit * task.y_unit);
    masked.add<kOutputs>(y - task.y, step, out);
    masked.put();
  }
  return put_outputs<kOutputs, kWhole>(y, step, task.active, out);
}

// rotate_block() with 16 registers: p - q waits in the L1 cache while the first row is made.
template <int kM, int kOutputs, bool kWhole, bool kMasked>
HWY_INLINE void rotate_block_by_products(const Rotate3x3& task, int64_t unit, const float* const* x, const float* w,
                                         int64_t step, Prefetch* ahead, float*& y0, float*& y1) {
  constexpr int kKernelRow = 3 * kM * kLanes;
  HWY_ALIGN float inner[kOutputs * kLanes];
  V sum[kOutputs];
  add_product<kM, kOutputs, false, true>(x[2], x[1], w + 2 * kKernelRow, task.rotation, ahead, sum);
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) hn::Store(sum[i], D(), inner + i * kLanes);
  add_product<kM, kOutputs, true, true>(x[1], x[2], w + kKernelRow, task.rotation, nullptr, sum);
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) {
    const V p = sum[i], q = hn::Load(D(), inner + i * kLanes);
    sum[i] = hn::Add(p, q);
    hn::Store(hn::Sub(p, q), D(), inner + i * kLanes);
  }
  add_product<kM, kOutputs, false, false>(x[0], x[2], w, task.rotation, ahead, sum);
  y0 = put_row<kOutputs, kWhole, kMasked>(task, unit, step, y0, sum);
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) sum[i] = hn::Load(D(), inner + i * kLanes);
  add_product<kM, kOutputs, false, false>(x[3], x[1], w + 3 * kKernelRow, task.rotation, nullptr, sum);
  y1 = put_row<kOutputs, kWhole, kMasked>(task, unit, step, y1, sum);
}

// A block of kOutputs columns of two rows. kWhole: all lanes are stored. kMasked: behind a mask.
template <int kM, int kOutputs, bool kWhole, bool kMasked>
HWY_INLINE void rotate_block(const Rotate3x3& task, int64_t unit, const float* const* x, const float* w, int64_t step,
                             Prefetch* ahead, float*& y0, float*& y1) {
  constexpr int kKernelRow = 3 * kM * kLanes;
  if constexpr (!few_turns(kM)) {
    // Other stores would wait behind one whose line has to come first.
#pragma GCC unroll 16
    for (int i = 0; i < kOutputs; ++i) {
      __builtin_prefetch(y0 + i * step, 1);
      __builtin_prefetch(y1 + i * step, 1);
    }
  }
  V p[kOutputs], q[kOutputs];
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) p[i] = q[i] = hn::Zero(D());
  add_turns<kM, kOutputs, false>(x, w + kKernelRow, w + 2 * kKernelRow, task.rotation, ahead, p, q);
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) {
    const V sum = hn::Add(p[i], q[i]);
    q[i] = hn::Sub(p[i], q[i]);
    p[i] = sum;
  }
  add_turns<kM, kOutputs, true>(x, w, w + 3 * kKernelRow, task.rotation, ahead, p, q);
  if constexpr (kMasked) {
    MaskedBlock masked(task.mask, unit * task.y_unit);
    masked.add<kOutputs>(y0 - task.y, step, p);
    masked.add<kOutputs>(y1 - task.y, step, q);
    masked.put();
  }
  y0 = put_outputs<kOutputs, kWhole>(y0, step, task.active, p);
  y1 = put_outputs<kOutputs, kWhole>(y1, step, task.active, q);
}

// `blocks` blocks from column `first` on, of all pairs of rows of a unit. By itself, with and without a mask apart,
// what the loop over blocks keeps fits the registers.
template <int kM, int kOutputs, bool kWhole, bool kMasked>
HWY_NOINLINE void rotate_unit(const Rotate3x3& task, int64_t unit, int64_t first, int64_t blocks) {
  const float* w = task.pair_w + unit * task.w_unit;
  const int64_t at = task.offset + unit * task.x_unit + first * kLanes, step = task.y_step;
  float* y = task.y + unit * task.y_unit + first * step;
  Prefetch* ahead = task.ahead;
  for (int64_t row = 0; row + 2 <= task.rows; row += 2, y += 2 * task.y_row) {
    const float* x[4];
    for (int i = 0; i < 4; ++i) x[i] = task.x[row + i] + at;
    float *y0 = y, *y1 = y + task.y_row;
    for (int64_t b = blocks; b > 0; --b) {
      if constexpr (kManyRegisters) {
        rotate_block<kM, kOutputs, kWhole, kMasked>(task, unit, x, w, step, ahead, y0, y1);
      } else {
        rotate_block_by_products<kM, kOutputs, kWhole, kMasked>(task, unit, x, w, step, ahead, y0, y1);
      }
      for (const float*& row_x : x) row_x += kOutputs * kLanes;
    }
  }
}

// Likewise of all units.
template <int kM, int kOutputs, bool kWhole>
void rotate_pairs(const Rotate3x3& task, int64_t first, int64_t blocks) {
  const bool masked = kWhole && task.mask.x != nullptr;
  const auto rotate = masked ? rotate_unit<kM, kOutputs, kWhole, kWhole> : rotate_unit<kM, kOutputs, kWhole, false>;
  for (int64_t unit = 0; unit < task.units; ++unit) rotate(task, unit, first, blocks);
}

template <int kM, bool kWhole, int... kOutputs>
HWY_INLINE void rotate_pairs_of(const Rotate3x3& task, std::integer_sequence<int, kOutputs...>) {
  static constexpr void (*kPairs[])(const Rotate3x3&, int64_t, int64_t) = {rotate_pairs<kM, kOutputs + 1, kWhole>...};
  EqualBlocks(task.count, kMostOutputs).for_each_size([&](int64_t size, int64_t first, int64_t blocks) {
    kPairs[size - 1](task, first, blocks);
  });
}

template <int kM>
void rotate_pairs_of_m(const Rotate3x3& task) {
  constexpr std::make_integer_sequence<int, kMostOutputs> kOutputs;
  if constexpr (takes(kM)) {
    task.active == kLanes ? rotate_pairs_of<kM, true>(task, kOutputs) : rotate_pairs_of<kM, false>(task, kOutputs);
  }
}

template <int... kM>
HWY_INLINE void rotate_any_pairs(const Rotate3x3& task, std::integer_sequence<int, kM...>) {
  static constexpr void (*kRotate[])(const Rotate3x3&) = {rotate_pairs_of_m<kM + 1>...};
  kRotate[task.M - 1](task);
}

int64_t MostTurnedOutputsKernel(int64_t M) { return takes(static_cast<int>(M)) ? kMostOutputs : 0; }

#else

int64_t MostTurnedOutputsKernel(int64_t) { return 0; }

#endif

void RotatePairs3x3Kernel(const Rotate3x3& task) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  rotate_any_pairs(task, std::make_integer_sequence<int, kMostM>());
#else
  (void)task;
#endif
}

void PairWeights3x3Kernel(const float* const* w, int64_t M, const int32_t* rotation, float* out) {
  const int64_t kernel_row = 3 * M * kLanes;
  const bool turns = MostTurnedOutputsKernel(M) > 0;
  for (int64_t s = 0; s < 3; ++s) {
    for (int64_t j = 0; j < M; ++j) {
      const int64_t at = (s * M + j) * kLanes;
      const V first = hn::LoadU(D(), w[0] + at), second = hn::LoadU(D(), w[1] + at), third = hn::LoadU(D(), w[2] + at);
      const V outer = hn::Add(first, third), half = hn::Set(D(), 0.5f);
      const V rows[4] = {first, hn::Mul(hn::Add(outer, second), half), hn::Mul(hn::Sub(outer, second), half), third};
      for (int64_t r = 0; r < 4; ++r) {
        V row = rows[r];
        if (turns) row = hn::TableLookupLanes(row, hn::SetTableIndices(D(), rotation + j * kLanes));
        hn::StoreU(row, D(), out + r * kernel_row + at);
      }
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

HWY_EXPORT(RotatePairs3x3Kernel);
HWY_EXPORT(PairWeights3x3Kernel);
HWY_EXPORT(MostTurnedOutputsKernel);

bool turns_inputs(int64_t M) { return HWY_DYNAMIC_DISPATCH(MostTurnedOutputsKernel)(M) > 0; }

}  // namespace

void rotate_pairs_3x3(const Rotate3x3& task) {
  if (!turns_inputs(task.M)) return rotate_sum_rows_3x3(task);
  HWY_DYNAMIC_DISPATCH(RotatePairs3x3Kernel)(task);
}
void pair_weights_3x3(const float* const* w, int64_t M, const int32_t* rotation, float* out) {
  HWY_DYNAMIC_DISPATCH(PairWeights3x3Kernel)(w, M, rotation, out);
}
int64_t most_pair_outputs_3x3(int64_t M) {
  return turns_inputs(M) ? HWY_DYNAMIC_DISPATCH(MostTurnedOutputsKernel)(M) : most_sum_row_outputs_3x3(M);
}
int64_t pair_shares_3x3(int64_t M) { return turns_inputs(M) ? M + M % 2 : kSumRowShares; }

}  // namespace igcnet
#endif  // HWY_ONCE
