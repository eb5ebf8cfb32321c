// The loops of RotateGradient3x3 (row_kernels.h) for two output rows at a time: the transpose of what
// rotate3x3_pair_kernels.cc does, 12 multiply-adds for 18. Of four input rows d and two rows e of dy
//   p = (e0 + e1) x (d1 + d2),                      q = (e0 - e1) x (d2 - d1)
//   dg0 = (p + q) / 2 + e0 x (d0 - d2),   dg1 = (p - q) / 2,   dg2 = (p + q) / 2 + e1 x (d3 - d1)
// where x stands for the sums over the columns, of all pairs of rows, before anything is added up.
#include <utility>

#include "cpu/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotate3x3_pair_gradient_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_turn-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_AVX3

// Four input rows and two rows of dy, from some columns on.
struct PairRows {
  const float* x[4];
  const float* dy[2];
};

// Two products with the inputs of the last three columns, and sums for each column and turn. kOuter: those of the first
// and the last kernel row.
template <int kM, int kFirst, int kTurns, bool kOuter>
struct PairSums {
  V p[3 * kTurns], q[3 * kTurns];
  V v[3], u[3];

  // Column kColumn, modulo 3, which is `at` floats from where the rows are.
  template <int kColumn>
  HWY_INLINE void load(const PairRows& rows, int at) {
    const V d1 = inner_row<kOuter>(rows.x[1] + at), d2 = inner_row<kOuter>(rows.x[2] + at);
    v[kColumn] = computed(kOuter ? hn::Sub(hn::LoadU(D(), rows.x[0] + at), d2) : hn::Add(d1, d2));
    u[kColumn] = computed(kOuter ? hn::Sub(hn::LoadU(D(), rows.x[3] + at), d1) : hn::Sub(d2, d1));
  }

  // The output kOutput columns from where the rows are.
  template <int kOutput>
  HWY_INLINE void add(const PairRows& rows, int64_t dy_step, const int32_t* rotation) {
    load<(kOutput + 2) % 3>(rows, (kOutput + 2) * kLanes);
    const V e0 = hn::LoadU(D(), rows.dy[0] + kOutput * dy_step), e1 = hn::LoadU(D(), rows.dy[1] + kOutput * dy_step);
    const V a = kOuter ? e0 : computed(hn::Add(e0, e1)), b = kOuter ? e1 : computed(hn::Sub(e0, e1));
#pragma GCC unroll 4
    for (int j = 0; j < kTurns; ++j) {
      const V of_p = turned<kM>(a, kFirst + j, rotation), of_q = turned<kM>(b, kFirst + j, rotation);
#pragma GCC unroll 3
      for (int s = 0; s < 3; ++s) {
        p[s * kTurns + j] = hn::MulAdd(of_p, v[(kOutput + s) % 3], p[s * kTurns + j]);
        q[s * kTurns + j] = hn::MulAdd(of_q, u[(kOutput + s) % 3], q[s * kTurns + j]);
      }
    }
  }
};

// The sums of turns [kFirst, kFirst + kTurns) stay in registers over all pairs of rows.
template <int kM, int kFirst, int kTurns, bool kOuter>
HWY_NOINLINE void gradient_of_pairs(const RotateGradient3x3& task) {
  PairSums<kM, kFirst, kTurns, kOuter> sums;
#pragma GCC unroll 12
  for (int i = 0; i < 3 * kTurns; ++i) sums.p[i] = sums.q[i] = hn::Zero(D());
  const int64_t dy_step = task.dy_step;
  const int32_t* rotation = task.rotation;
  for (int64_t row = 0; row + 2 <= task.rows; row += 2) {
    PairRows rows;
    for (int i = 0; i < 4; ++i) rows.x[i] = task.x[row + i] + task.offset;
    for (int i = 0; i < 2; ++i) rows.dy[i] = task.dy + (row + i) * task.dy_row;
    sums.template load<0>(rows, 0);
    sums.template load<1>(rows, kLanes);
    int64_t t = task.count;
    for (; t >= 3; t -= 3) {
      if (task.ahead != nullptr && t % kPairShareColumns < 3) task.ahead->share();
      sums.template add<0>(rows, dy_step, rotation);
      sums.template add<1>(rows, dy_step, rotation);
      sums.template add<2>(rows, dy_step, rotation);
      for (const float*& x : rows.x) x += 3 * kLanes;
      for (const float*& dy : rows.dy) dy += 3 * dy_step;
    }
    if (t > 0) sums.template add<0>(rows, dy_step, rotation);
    if (t > 1) sums.template add<1>(rows, dy_step, rotation);
  }
  const auto add = [&](int r, int s, int j, V v) HWY_ATTR {
    float* place = task.dw[r] + (s * kM + kFirst + j) * kLanes;
    hn::Store(hn::Add(hn::Load(D(), place), v), D(), place);
  };
#pragma GCC unroll 3
  for (int s = 0; s < 3; ++s) {
#pragma GCC unroll 4
    for (int j = 0; j < kTurns; ++j) {
      const V p = sums.p[s * kTurns + j], q = sums.q[s * kTurns + j];
      if constexpr (kOuter) {
        add(0, s, j, p);
        add(2, s, j, q);
      } else {
        const V half = hn::Set(D(), 0.5f), even = hn::Mul(hn::Add(p, q), half);
        add(0, s, j, even);
        add(1, s, j, hn::Mul(hn::Sub(p, q), half));
        add(2, s, j, even);
      }
    }
  }
}

template <int kM, int... kPass>
HWY_INLINE void gradient_passes(const RotateGradient3x3& task, std::integer_sequence<int, kPass...>) {
  constexpr int kPasses = sizeof...(kPass);
  const auto pass = [&](auto first, auto end) HWY_ATTR {
    gradient_of_pairs<kM, first(), end() - first(), false>(task);
    gradient_of_pairs<kM, first(), end() - first(), true>(task);
  };
  (pass(std::integral_constant<int, kM * kPass / kPasses>(), std::integral_constant<int, kM*(kPass + 1) / kPasses>()),
   ...);
}

template <int kM>
void gradient_pairs_of(const RotateGradient3x3& task) {
  RotateGradient3x3 unit = task;
  for (int64_t i = 0; i < task.units; ++i) {
    gradient_passes<kM>(unit, std::make_integer_sequence<int, (kM + kPairTurns - 1) / kPairTurns>());
    next_unit(unit);
  }
}

template <int... kM>
HWY_INLINE void gradient_any_pairs(const RotateGradient3x3& task, std::integer_sequence<int, kM...>) {
  static constexpr void (*kGradient[])(const RotateGradient3x3&) = {gradient_pairs_of<kM + 1>...};
  kGradient[task.M - 1](task);
}

constexpr bool takes(int64_t M) { return M < kLanes; }

#elif HWY_TARGET == HWY_AVX2

// With 16 registers one product at a time, of groups of 2 and 4: up to 12 sums, the inputs of the last three columns,
// and an output that is turned in place.
constexpr bool takes(int64_t M) { return M == 2 || M == 4; }

enum class Product { kP, kQ, kFirst, kLast };  // of dg0 and dg2 alone: e0 x (d0 - d2), e1 x (d3 - d1)

template <int kM, Product kProduct>
struct ProductSums {
  static constexpr int kSums = 3 * kM;
  const float *a, *b, *dy0, *dy1;  // rows of inputs and of dy, from some columns on
  V sum[kSums], v[3];

  // Column kColumn, modulo 3, which is `at` floats from where the rows are.
  template <int kColumn>
  HWY_INLINE void load(int at) {
    const V left = load_again(a + at), right = hn::LoadU(D(), b + at);
    v[kColumn] = kProduct == Product::kP ? hn::Add(left, right) : hn::Sub(left, right);
  }

  // The output kOutput columns from where the rows are.
  template <int kOutput>
  HWY_INLINE void add(int64_t dy_step) {
    load<(kOutput + 2) % 3>((kOutput + 2) * kLanes);
    V e = load_again((kProduct == Product::kLast ? dy1 : dy0) + kOutput * dy_step);
    if constexpr (kProduct == Product::kP) e = hn::Add(e, hn::LoadU(D(), dy1 + kOutput * dy_step));
    if constexpr (kProduct == Product::kQ) e = hn::Sub(e, hn::LoadU(D(), dy1 + kOutput * dy_step));
    constexpr int kTurn[] = {0, 1, 3, 2};  // neighbours are a shuffle apart
#pragma GCC unroll 4
    for (int i = 0; i < kM; ++i) {
      if (i > 0) e = turned<kM>(e, kTurn[i] ^ kTurn[i - 1], nullptr);
#pragma GCC unroll 3
      for (int s = 0; s < 3; ++s) {
        V& of_turn = sum[s * kM + kTurn[i]];
        of_turn = hn::MulAdd(e, v[(kOutput + s) % 3], of_turn);
      }
    }
#if HWY_COMPILER_GCC_ACTUAL
    asm volatile("" : : "x"(e.raw));  // still there: GCC would have its register for a sum, and keep one on the stack
#endif
  }
};

// The sums of a product stay in registers over all pairs of rows. What dg0 and dg2 have of p and q, `even`, waits in
// the L1 cache.
template <int kM, Product kProduct>
HWY_NOINLINE void gradient_of_product(const RotateGradient3x3& task, float* even) {
  constexpr bool kOfFirst = kProduct == Product::kFirst, kOfLast = kProduct == Product::kLast;
  constexpr int kSums = 3 * kM;
  // Two passes for each kPairTurns turns ask for memory, as with many registers.
  constexpr bool kAsks = kM > kPairTurns || kProduct == Product::kP || kOfFirst;
  ProductSums<kM, kProduct> sums;
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums.sum[i] = hn::Zero(D());
  const int64_t dy_step = task.dy_step;
  for (int64_t row = 0; row + 2 <= task.rows; row += 2) {
    const float* const* x = task.x + row;
    sums.a = x[kOfFirst ? 0 : kOfLast ? 3 : 2] + task.offset;
    sums.b = x[kOfFirst ? 2 : 1] + task.offset;
    sums.dy0 = task.dy + row * task.dy_row;
    sums.dy1 = sums.dy0 + task.dy_row;
    sums.template load<0>(0);
    sums.template load<1>(kLanes);
    int64_t t = task.count;
    for (; t >= 3; t -= 3) {
      if (kAsks && task.ahead != nullptr && t % kPairShareColumns < 3) task.ahead->share();
      sums.template add<0>(dy_step);
      sums.template add<1>(dy_step);
      sums.template add<2>(dy_step);
      sums.a += 3 * kLanes;
      sums.b += 3 * kLanes;
      sums.dy0 += 3 * dy_step;
      sums.dy1 += 3 * dy_step;
    }
    if (t > 0) sums.template add<0>(dy_step);
    if (t > 1) sums.template add<1>(dy_step);
  }
  const V half = hn::Set(D(), 0.5f);
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) {
    const int at = i * kLanes;
    if constexpr (kProduct == Product::kP) {
      hn::Store(sums.sum[i], D(), even + at);
      continue;
    }
    V more = sums.sum[i];
    const V waiting = hn::Load(D(), even + at);
    if constexpr (kProduct == Product::kQ) {
      hn::Store(hn::Mul(hn::Add(waiting, more), half), D(), even + at);
      more = hn::Mul(hn::Sub(waiting, more), half);
    } else {
      more = hn::Add(waiting, more);
    }
    float* place = task.dw[kOfFirst ? 0 : kOfLast ? 2 : 1] + at;
    hn::Store(hn::Add(hn::Load(D(), place), more), D(), place);
  }
}

template <int kM>
void gradient_by_products(const RotateGradient3x3& task) {
  HWY_ALIGN float even[3 * kM * kLanes];
  RotateGradient3x3 unit = task;
  for (int64_t i = 0; i < task.units; ++i) {
    gradient_of_product<kM, Product::kP>(unit, even);
    gradient_of_product<kM, Product::kQ>(unit, even);
    gradient_of_product<kM, Product::kFirst>(unit, even);
    gradient_of_product<kM, Product::kLast>(unit, even);
    next_unit(unit);
  }
}

#else

constexpr bool takes(int64_t) { return false; }

#endif

bool TakesGradientPairsKernel(int64_t M) { return takes(M); }

void RotateGradientPairs3x3Kernel(const RotateGradient3x3& task) {
#if HWY_TARGET == HWY_AVX3
  gradient_any_pairs(task, std::make_integer_sequence<int, kLanes - 1>());
#elif HWY_TARGET == HWY_AVX2
  task.M == 2 ? gradient_by_products<2>(task) : gradient_by_products<4>(task);
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

HWY_EXPORT(RotateGradientPairs3x3Kernel);
HWY_EXPORT(TakesGradientPairsKernel);

}  // namespace

bool takes_gradient_pairs_3x3(int64_t M) { return HWY_DYNAMIC_DISPATCH(TakesGradientPairsKernel)(M); }
void rotate_gradient_pairs_3x3(const RotateGradient3x3& task) {
  HWY_DYNAMIC_DISPATCH(RotateGradientPairs3x3Kernel)(task);
}

}  // namespace igcnet
#endif  // HWY_ONCE
