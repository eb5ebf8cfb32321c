// The loops of channel_norm.h, compiled once per instruction set. Chunks are combined as in Chan et al. 1983, in
// double.
#include "cpu/channel_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/channel_norm.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"
#include "cpu/vector_norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

// One row at a time: the coefficients stay in the L1 cache, and x is read as it lies.
template <bool kRelu>
void normalise(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, float* y) {
  for (int64_t row = 0; row < rows; ++row, x += C, y += C) {
    for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
      auto v = normalised(d, hn::LoadU(d, x + c), hn::LoadU(d, norm.mean + c), hn::LoadU(d, norm.scale + c),
                          hn::LoadU(d, norm.beta + c));
      if constexpr (kRelu) v = rectified(d, v);
      hn::StoreU(v, d, y + c);
    });
  }
}

template <bool kRelu>
void norm_gradient(const ChannelNormGradient& norm, const float* x, const float* g, int64_t rows, int64_t C,
                   float* out) {
  const ChannelNorm& n = norm.norm;
  for (int64_t row = 0; row < rows; ++row, x += C, g += C, out += C) {
    for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
      const auto value = hn::LoadU(d, x + c), mean = hn::LoadU(d, n.mean + c), scale = hn::LoadU(d, n.scale + c);
      auto gradient = hn::LoadU(d, g + c);
      if constexpr (kRelu) {
        gradient = behind_relu(d, gradient, normalised(d, value, mean, scale, hn::LoadU(d, n.beta + c)));
      }
      const auto through_statistics =
          hn::MulAdd(hn::Sub(value, mean), hn::LoadU(d, norm.slope + c), hn::LoadU(d, norm.offset + c));
      hn::StoreU(hn::Mul(scale, hn::Sub(gradient, through_statistics)), d, out + c);
    });
  }
}

template <bool kRelu>
void mask_and_sum(const ChannelNorm& norm, const float* x, const float* g, float* dv, int64_t rows, int64_t C,
                  float* sums) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto mean = hn::LoadU(d, norm.mean + c), scale = hn::LoadU(d, norm.scale + c),
               beta = hn::LoadU(d, norm.beta + c);
    auto sum0 = hn::Zero(d), sum1 = sum0, product0 = sum0, product1 = sum0;
    const auto step = [&](int64_t row, auto& sum, auto& product) HWY_ATTR {
      const int64_t i = row * C + c;
      const auto value = hn::LoadU(d, x + i);
      auto gradient = hn::LoadU(d, g + i);
      if constexpr (kRelu) gradient = behind_relu(d, gradient, normalised(d, value, mean, scale, beta));
      if (dv != nullptr) hn::StoreU(gradient, d, dv + i);
      sum = hn::Add(sum, gradient);
      product = hn::MulAdd(gradient, hn::Sub(value, mean), product);
    };
    int64_t row = 0;
    for (; row + 2 <= rows; row += 2) {
      step(row, sum0, product0);
      step(row + 1, sum1, product1);
    }
    if (row < rows) step(row, sum0, product0);
    hn::StoreU(hn::Add(sum0, sum1), d, sums + c);
    hn::StoreU(hn::Add(product0, product1), d, sums + C + c);
  });
}

}  // namespace

void NormaliseRowsKernel(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, float* y) {
  norm.relu ? normalise<true>(norm, x, rows, C, y) : normalise<false>(norm, x, rows, C, y);
}

void NormGradientRowsKernel(const ChannelNormGradient& norm, const float* x, const float* g, int64_t rows, int64_t C,
                            float* out) {
  norm.norm.relu ? norm_gradient<true>(norm, x, g, rows, C, out) : norm_gradient<false>(norm, x, g, rows, C, out);
}

void MaskAndSumRowsKernel(const ChannelNorm& norm, const float* x, const float* g, float* dv, int64_t rows, int64_t C,
                          float* sums) {
  norm.relu ? mask_and_sum<true>(norm, x, g, dv, rows, C, sums) : mask_and_sum<false>(norm, x, g, dv, rows, C, sums);
}

// The sum over rows of term(row), four partial sums at a time.
template <class D, class Term>
HWY_INLINE hn::Vec<D> sum_rows(D d, int64_t rows, const Term& term) {
  auto sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    sum0 = hn::Add(sum0, term(row));
    sum1 = hn::Add(sum1, term(row + 1));
    sum2 = hn::Add(sum2, term(row + 2));
    sum3 = hn::Add(sum3, term(row + 3));
  }
  for (; row < rows; ++row) sum0 = hn::Add(sum0, term(row));
  return hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
}

void StatisticsRowsKernel(const float* x, int64_t rows, int64_t C, float* sums) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto sum = sum_rows(d, rows, [&](int64_t row) HWY_ATTR { return hn::LoadU(d, x + row * C + c); });
    const auto mean = hn::Div(sum, hn::Set(d, static_cast<float>(rows)));
    const auto centred = [&](int64_t row) HWY_ATTR { return hn::Sub(hn::LoadU(d, x + row * C + c), mean); };
    hn::StoreU(mean, d, sums + c);
    hn::StoreU(sum_rows(d, rows, centred), d, sums + C + c);
    const auto square = [&](int64_t row) HWY_ATTR {
      const auto difference = centred(row);
      return hn::Mul(difference, difference);
    };
    hn::StoreU(sum_rows(d, rows, square), d, sums + 2 * C + c);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cpu/parallel.h"

namespace igcnet {
namespace {

HWY_EXPORT(NormaliseRowsKernel);
HWY_EXPORT(NormGradientRowsKernel);
HWY_EXPORT(MaskAndSumRowsKernel);
HWY_EXPORT(StatisticsRowsKernel);

constexpr int64_t kCombineGrain = 1 << 13;  // sums, in double, that are worth a second thread

}  // namespace

void normalise_rows(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, float* y) {
  HWY_DYNAMIC_DISPATCH(NormaliseRowsKernel)(norm, x, rows, C, y);
}

void norm_gradient_rows(const ChannelNormGradient& norm, const float* x, const float* g, int64_t rows, int64_t C,
                        float* out) {
  HWY_DYNAMIC_DISPATCH(NormGradientRowsKernel)(norm, x, g, rows, C, out);
}

void statistics_rows(const float* x, int64_t rows, int64_t C, float* sums) {
  HWY_DYNAMIC_DISPATCH(StatisticsRowsKernel)(x, rows, C, sums);
}

void mask_and_sum_rows(const ChannelNorm& norm, const float* x, const float* g, float* dv, int64_t rows, int64_t C,
                       float* sums) {
  HWY_DYNAMIC_DISPATCH(MaskAndSumRowsKernel)(norm, x, g, dv, rows, C, sums);
}

void combine_statistics(const float* sums, const int64_t* rows, int64_t count, int64_t C, float* mean, float* var) {
  parallel_ranges(C, kCombineGrain / (count + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double total = 0, squares = 0, all = 0;
      for (int64_t chunk = 0; chunk < count; ++chunk) {
        const float* s = sums + chunk * 3 * C + c;
        if (rows[chunk] == 0) continue;  // nobody wrote its sums
        const double n = static_cast<double>(rows[chunk]);
        total += n * s[0] + s[C];
        all += n;
      }
      const double overall = total / all;
      for (int64_t chunk = 0; chunk < count; ++chunk) {
        if (rows[chunk] == 0) continue;
        // sum of (x - overall)^2 = sum of ((x - chunk mean) + shift)^2
        const float* s = sums + chunk * 3 * C + c;
        const double shift = s[0] - overall;
        squares += s[2 * C] + shift * (2.0 * s[C] + shift * static_cast<double>(rows[chunk]));
      }
      mean[c] = static_cast<float>(overall);
      // Roundings may leave a little less than 0 of a constant channel; NaN stays.
      var[c] = static_cast<float>(squares < 0 ? 0 : squares / all);
    }
  });
}

void combine_sums(const float* sums, int64_t count, int64_t C, double* totals) {
  parallel_ranges(2 * C, kCombineGrain / (count + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double total = 0;
      for (int64_t chunk = 0; chunk < count; ++chunk) total += sums[chunk * 2 * C + c];
      totals[c] = total;
    }
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
