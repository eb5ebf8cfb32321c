// The loops of chunk_sums.h, compiled once per instruction set.
#include "cpu/chunk_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/chunk_sums.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

template <class D>
HWY_INLINE hn::Vec<D> load_doubles(D d, const float* x) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), x));
}

template <class D>
HWY_INLINE void store_floats(D, hn::Vec<D> v, float* y) {
  const hn::Rebind<float, D> to;
  hn::StoreU(hn::DemoteTo(to, v), to, y);
}

}  // namespace

void CombineStatisticsKernel(const float* sums, const int64_t* rows, int64_t count, int64_t C, int64_t begin,
                             int64_t end, float* mean, float* var) {
  for_each_vector<double>(begin, end, [&](auto d, int64_t c) HWY_ATTR {
    auto overall = hn::Zero(d), squares = overall;
    double all = 0;
    for (int64_t chunk = 0; chunk < count; ++chunk) {
      if (rows[chunk] == 0) continue;  // nobody wrote its sums
      const float* s = sums + chunk * 3 * C + c;
      const auto around = load_doubles(d, s);
      const double n = static_cast<double>(rows[chunk]);
      all += n;
      const auto sum = hn::MulAdd(hn::Set(d, n), around, load_doubles(d, s + C));
      overall = hn::Add(overall, hn::IfThenElse(hn::IsInf(around), around, sum));
    }
    overall = hn::Div(overall, hn::Set(d, all));
    const auto finite = hn::Not(hn::IsInf(overall));
    for (int64_t chunk = 0; chunk < count; ++chunk) {
      if (rows[chunk] == 0) continue;
      const float* s = sums + chunk * 3 * C + c;
      // sum of (x - overall)^2 = sum of ((x - around) + shift)^2; without finite ones the squares are none either
      const auto shift = hn::IfThenElseZero(finite, hn::Sub(load_doubles(d, s), overall));
      const auto centred = load_doubles(d, s + C);
      const auto twice = hn::MulAdd(shift, hn::Set(d, static_cast<double>(rows[chunk])), hn::Add(centred, centred));
      squares = hn::Add(squares, hn::MulAdd(shift, twice, load_doubles(d, s + 2 * C)));
    }
    store_floats(d, overall, mean + c);
    // Roundings may leave a little less than 0 of a constant channel; NaN stays.
    const auto variance = hn::Div(squares, hn::Set(d, all));
    store_floats(d, hn::IfThenZeroElse(hn::Lt(squares, hn::Zero(d)), variance), var + c);
  });
}

void CombineSumsKernel(const float* sums, int64_t count, int64_t C, int64_t begin, int64_t end, double* totals) {
  for_each_vector<double>(begin, end, [&](auto d, int64_t c) HWY_ATTR {
    auto total = hn::Zero(d);
    for (int64_t chunk = 0; chunk < count; ++chunk) total = hn::Add(total, load_doubles(d, sums + chunk * C + c));
    hn::StoreU(total, d, totals + c);
  });
}

void AddRowsKernel(float* sums, int64_t count, int64_t step, int64_t begin, int64_t end) {
  for_each_vector(begin, end, [&](auto d, int64_t i) HWY_ATTR {
    auto sum = hn::LoadU(d, sums + i);
    for (int64_t row = 1; row < count; ++row) sum = hn::Add(sum, hn::LoadU(d, sums + row * step + i));
    hn::StoreU(sum, d, sums + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/parallel.h"

namespace igcnet {
namespace {

HWY_EXPORT(CombineStatisticsKernel);
HWY_EXPORT(CombineSumsKernel);
HWY_EXPORT(AddRowsKernel);

constexpr int64_t kCombineGrain = 1 << 15;  // sums that are worth a second thread

// body(begin, end) for channels.
template <class Body>
void for_channels(int64_t C, int64_t chunks, const Body& body) {
  parallel_ranges(C, kCombineGrain / (chunks + 1) + 1, body);
}

}  // namespace

void combine_statistics(const float* sums, const int64_t* rows, int64_t count, int64_t C, float* mean, float* var) {
  for_channels(C, count, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(CombineStatisticsKernel)(sums, rows, count, C, begin, end, mean, var);
  });
}

void combine_sums(const float* sums, int64_t count, int64_t C, double* totals) {
  for_channels(2 * C, count, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(CombineSumsKernel)(sums, count, 2 * C, begin, end, totals);
  });
}

void add_rows(float* sums, int64_t count, int64_t step, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(AddRowsKernel)(sums, count, step, begin, end);
}

}  // namespace igcnet
#endif  // HWY_ONCE
