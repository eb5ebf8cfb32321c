// The loops of channel_norm.h, compiled once per instruction set. Chunks are combined as in Chan et al. 1983, in
// double.
#include "cpu/channel_norm.h"

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/channel_norm.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"
#include "cpu/vector_norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

// Asks for the line of x[place], which may lie behind its end, for the L1 cache.
HWY_INLINE void ask_for(const float* x, int64_t place) {
  const auto address = reinterpret_cast<uintptr_t>(x) + static_cast<uintptr_t>(place) * sizeof(float);
  __builtin_prefetch(reinterpret_cast<const void*>(address), 0, 3);
}

// Calls body(tag, c, row, rows of the block) for blocks of a few rows and all vectors of channels: the coefficients of
// a vector are loaded once a block, and x is read about as it lies. What the body reads of `streams` [rows, C] is asked
// for a little ahead: it comes from the L2 cache at best.
template <int kStreams, class Body>
HWY_INLINE void for_each_row_block(int64_t rows, int64_t C, const float* const (&streams)[kStreams], const Body& body) {
  constexpr int64_t kBlock = 4, kAhead = 8, kLine = 16;
  const auto blocks_of = [&](auto block, int64_t row) HWY_ATTR {
    for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
      if (c % kLine == 0) {
        for (const float* x : streams) {
          for (int64_t i = 0; i < block(); ++i) ask_for(x, (row + kAhead + i) * C + c);
        }
      }
      body(d, c, row, block);
    });
  };
  int64_t row = 0;
  for (; row + kBlock <= rows; row += kBlock) blocks_of(std::integral_constant<int64_t, kBlock>(), row);
  for (; row < rows; ++row) blocks_of(std::integral_constant<int64_t, 1>(), row);
}

template <bool kRelu>
void normalise(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, float* y) {
  for_each_row_block(rows, C, {x}, [&](auto d, int64_t c, int64_t row, auto block) HWY_ATTR {
    const auto mean = hn::LoadU(d, norm.mean + c), scale = hn::LoadU(d, norm.scale + c);
    const auto beta = hn::LoadU(d, norm.beta + c);
    for (int64_t i = 0; i < block(); ++i) {
      const int64_t at = (row + i) * C + c;
      auto v = normalised(d, hn::LoadU(d, x + at), mean, scale, beta);
      if constexpr (kRelu) v = rectified(d, v);
      hn::StoreU(v, d, y + at);
    }
  });
}

// The rows y of normalise(), in slabs of whole vectors.
template <bool kRelu>
void normalise_to_slabs(const ChannelNorm& norm, const float* HWY_RESTRICT x, int64_t rows, int64_t C,
                        float* HWY_RESTRICT out, int64_t slab) {
  constexpr int64_t kLanes = HWY_LANES(float);
  for_each_row_block(rows, C, {x}, [&](auto d, int64_t c, int64_t row, auto block) HWY_ATTR {
    const auto mean = hn::LoadU(d, norm.mean + c), scale = hn::LoadU(d, norm.scale + c);
    const auto beta = hn::LoadU(d, norm.beta + c);
    float* HWY_RESTRICT y = out + c / kLanes * slab + row * kLanes;
    for (int64_t i = 0; i < block(); ++i) {
      auto v = normalised(d, hn::LoadU(d, x + (row + i) * C + c), mean, scale, beta);
      if constexpr (kRelu) v = rectified(d, v);
      hn::StoreU(v, d, y + i * kLanes);
    }
  });
}

void copy_to_slabs(const float* HWY_RESTRICT x, int64_t rows, int64_t C, int64_t step, float* HWY_RESTRICT out,
                   int64_t slab) {
  const hn::ScalableTag<float> d;
  constexpr int64_t kLanes = HWY_LANES(float);
  for (int64_t row = 0; row < rows; ++row, x += C, out += kLanes) {
    float* HWY_RESTRICT y = out;
    for (int64_t c = 0; c < C; c += step, y += slab) hn::StoreU(hn::LoadU(d, x + c), d, y);
  }
}

template <bool kRelu>
void norm_gradient(const ChannelNormGradient& norm, const float* HWY_RESTRICT x, const float* HWY_RESTRICT g,
                   int64_t rows, int64_t C, float* HWY_RESTRICT out) {
  const ChannelNorm& n = norm.norm;
  for_each_row_block(rows, C, {x, g}, [&](auto d, int64_t c, int64_t row, auto block) HWY_ATTR {
    const auto mean = hn::LoadU(d, n.mean + c), scale = hn::LoadU(d, n.scale + c);
    const auto beta = kRelu ? hn::LoadU(d, n.beta + c) : hn::Zero(d);
    const auto slope = hn::LoadU(d, norm.slope + c), offset = hn::LoadU(d, norm.offset + c);
    for (int64_t i = 0; i < block(); ++i) {
      const int64_t at = (row + i) * C + c;
      const auto value = hn::LoadU(d, x + at);
      auto gradient = hn::LoadU(d, g + at);
      if constexpr (kRelu) gradient = behind_relu(d, gradient, normalised(d, value, mean, scale, beta));
      const auto through_statistics = hn::MulAdd(hn::Sub(value, mean), slope, offset);
      hn::StoreU(hn::Mul(scale, hn::Sub(gradient, through_statistics)), d, out + at);
    }
  });
}

// The sums stay in the cache beside a few rows.
template <bool kRelu>
void mask_and_sum(const ChannelNorm& norm, const float* x, const float* g, float* dv, int64_t rows, int64_t C,
                  float* HWY_RESTRICT sums) {
  for_each_row_block(rows, C, {x, g}, [&](auto d, int64_t c, int64_t row, auto block) HWY_ATTR {
    const auto mean = hn::LoadU(d, norm.mean + c), scale = hn::LoadU(d, norm.scale + c),
               beta = hn::LoadU(d, norm.beta + c);
    auto sum = hn::LoadU(d, sums + c), product = hn::LoadU(d, sums + C + c);
    for (int64_t i = 0; i < block(); ++i) {
      const int64_t at = (row + i) * C + c;
      const auto value = hn::LoadU(d, x + at);
      auto gradient = hn::LoadU(d, g + at);
      if constexpr (kRelu) gradient = behind_relu(d, gradient, normalised(d, value, mean, scale, beta));
      if (dv != nullptr) hn::StoreU(gradient, d, dv + at);
      sum = hn::Add(sum, gradient);
      product = hn::MulAdd(gradient, hn::Sub(value, mean), product);
    }
    hn::StoreU(sum, d, sums + c);
    hn::StoreU(product, d, sums + C + c);
  });
}

template <bool kMore, bool kSums>
void relu_sum_gradient(const ReluSumGradient& given, int64_t rows, int64_t C, float* HWY_RESTRICT sums) {
  const ReluSumGradient g = given;
  for_each_row_block(rows, C, {g.dy, kMore ? g.more : g.dy, g.y, kSums ? g.x : g.y},
                     [&](auto d, int64_t c, int64_t row, auto block) HWY_ATTR {
                       auto sum = hn::Zero(d), product = sum, mean = sum;
                       if constexpr (kSums) {
                         sum = hn::LoadU(d, sums + c);
                         product = hn::LoadU(d, sums + C + c);
                         mean = hn::LoadU(d, g.mean + c);
                       }
                       for (int64_t i = 0; i < block(); ++i) {
                         const int64_t at = (row + i) * C + c;
                         auto gradient = hn::LoadU(d, g.dy + at);
                         if constexpr (kMore) gradient = hn::Add(gradient, hn::LoadU(d, g.more + at));
                         gradient = behind_relu(d, gradient, hn::LoadU(d, g.y + at));
                         hn::StoreU(gradient, d, g.dv + at);
                         if constexpr (kSums) {
                           sum = hn::Add(sum, gradient);
                           product = hn::MulAdd(gradient, hn::Sub(hn::LoadU(d, g.x + at), mean), product);
                         }
                       }
                       if constexpr (kSums) {
                         hn::StoreU(sum, d, sums + c);
                         hn::StoreU(product, d, sums + C + c);
                       }
                     });
}

}  // namespace

void ReluSumGradientRowsKernel(const ReluSumGradient& g, int64_t rows, int64_t C, float* sums) {
  if (g.x == nullptr) {
    g.more == nullptr ? relu_sum_gradient<false, false>(g, rows, C, sums)
                      : relu_sum_gradient<true, false>(g, rows, C, sums);
  } else {
    g.more == nullptr ? relu_sum_gradient<false, true>(g, rows, C, sums)
                      : relu_sum_gradient<true, true>(g, rows, C, sums);
  }
}

void NormaliseRowsKernel(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, float* y) {
  norm.relu ? normalise<true>(norm, x, rows, C, y) : normalise<false>(norm, x, rows, C, y);
}

void NormaliseUnitsKernel(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, int64_t step, float* out,
                          int64_t slab) {
  if (norm.mean == nullptr) return copy_to_slabs(x, rows, C, step, out, slab);
  norm.relu ? normalise_to_slabs<true>(norm, x, rows, C, out, slab)
            : normalise_to_slabs<false>(norm, x, rows, C, out, slab);
}

void NormGradientRowsKernel(const ChannelNormGradient& norm, const float* x, const float* g, int64_t rows, int64_t C,
                            float* out) {
  norm.norm.relu ? norm_gradient<true>(norm, x, g, rows, C, out) : norm_gradient<false>(norm, x, g, rows, C, out);
}

void MaskAndSumRowsKernel(const ChannelNorm& norm, const float* x, const float* g, float* dv, int64_t rows, int64_t C,
                          float* sums) {
  norm.relu ? mask_and_sum<true>(norm, x, g, dv, rows, C, sums) : mask_and_sum<false>(norm, x, g, dv, rows, C, sums);
}

// sums [3][C]: mean, sum of x - mean, sum of (x - mean)^2; four partial sums each.
void StatisticsRowsKernel(const float* x, int64_t rows, int64_t C, float* sums) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    const auto total = [&](const V* four)
                           HWY_ATTR { return hn::Add(hn::Add(four[0], four[1]), hn::Add(four[2], four[3])); };
    const float* column = x + c;
    V sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    const auto add = [&](int64_t row, int i) HWY_ATTR { sum[i] = hn::Add(sum[i], hn::LoadU(d, column + row * C)); };
    int64_t row = 0;
    for (; row + 4 <= rows; row += 4) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) add(row + i, i);
    }
    for (; row < rows; ++row) add(row, 0);
    const V mean = hn::Div(total(sum), hn::Set(d, static_cast<float>(rows)));
    V centred[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    V square[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    const auto add_difference = [&](int64_t r, int i) HWY_ATTR {
      const V difference = hn::Sub(hn::LoadU(d, column + r * C), mean);
      centred[i] = hn::Add(centred[i], difference);
      square[i] = hn::Add(square[i], hn::Mul(difference, difference));
    };
    for (row = 0; row + 4 <= rows; row += 4) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) add_difference(row + i, i);
    }
    for (; row < rows; ++row) add_difference(row, 0);
    hn::StoreU(mean, d, sums + c);
    hn::StoreU(total(centred), d, sums + C + c);
    hn::StoreU(total(square), d, sums + 2 * C + c);
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
HWY_EXPORT(NormaliseUnitsKernel);
HWY_EXPORT(NormGradientRowsKernel);
HWY_EXPORT(MaskAndSumRowsKernel);
HWY_EXPORT(StatisticsRowsKernel);
HWY_EXPORT(ReluSumGradientRowsKernel);

constexpr int64_t kCombineGrain = 1 << 13;  // sums, in double, that are worth a second thread

// body(begin, end) for channels, some neighbouring ones at a time, whose sums lie side by side in the chunks.
constexpr int64_t kSideBySide = 16;

template <class Body>
void for_channels(int64_t C, int64_t chunks, const Body& body) {
  parallel_ranges(C, kCombineGrain / (chunks + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; c += kSideBySide) body(c, std::min(kSideBySide, end - c));
  });
}

}  // namespace

void normalise_rows(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, float* y) {
  HWY_DYNAMIC_DISPATCH(NormaliseRowsKernel)(norm, x, rows, C, y);
}

void normalise_units(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, int64_t step, float* out,
                     int64_t slab) {
  HWY_DYNAMIC_DISPATCH(NormaliseUnitsKernel)(norm, x, rows, C, step, out, slab);
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

void relu_sum_gradient_rows(const ReluSumGradient& gradient, int64_t rows, int64_t C, float* sums) {
  HWY_DYNAMIC_DISPATCH(ReluSumGradientRowsKernel)(gradient, rows, C, sums);
}

void combine_statistics(const float* sums, const int64_t* rows, int64_t count, int64_t C, float* mean, float* var) {
  double all = 0;
  for (int64_t chunk = 0; chunk < count; ++chunk) all += static_cast<double>(rows[chunk]);
  for_channels(C, count, [&](int64_t c, int64_t channels) {
    double overall[kSideBySide] = {}, squares[kSideBySide] = {};
    for (int64_t chunk = 0; chunk < count; ++chunk) {
      if (rows[chunk] == 0) continue;  // nobody wrote its sums
      const float* s = sums + chunk * 3 * C + c;
      const double n = static_cast<double>(rows[chunk]);
      for (int64_t i = 0; i < channels; ++i) overall[i] += n * s[i] + s[C + i];
    }
    for (int64_t i = 0; i < channels; ++i) overall[i] /= all;
    for (int64_t chunk = 0; chunk < count; ++chunk) {
      if (rows[chunk] == 0) continue;
      const float* s = sums + chunk * 3 * C + c;
      const double n = static_cast<double>(rows[chunk]);
      for (int64_t i = 0; i < channels; ++i) {
        // sum of (x - overall)^2 = sum of ((x - chunk mean) + shift)^2
        const double shift = s[i] - overall[i];
        squares[i] += s[2 * C + i] + shift * (2.0 * s[C + i] + shift * n);
      }
    }
    for (int64_t i = 0; i < channels; ++i) {
      mean[c + i] = static_cast<float>(overall[i]);
      // Roundings may leave a little less than 0 of a constant channel; NaN stays.
      var[c + i] = static_cast<float>(squares[i] < 0 ? 0 : squares[i] / all);
    }
  });
}

void combine_sums(const float* sums, int64_t count, int64_t C, double* totals) {
  for_channels(2 * C, count, [&](int64_t c, int64_t channels) {
    double total[kSideBySide] = {};
    for (int64_t chunk = 0; chunk < count; ++chunk) {
      for (int64_t i = 0; i < channels; ++i) total[i] += sums[chunk * 2 * C + c + i];
    }
    std::copy_n(total, channels, totals + c);
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
