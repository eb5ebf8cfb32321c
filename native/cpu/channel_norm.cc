// The loops of channel_norm.h, compiled once per instruction set.
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

// Asks for the line of x[place], which may lie behind its end, for the L1 cache.
HWY_INLINE void ask_for(const float* x, int64_t place) {
  const auto address = reinterpret_cast<uintptr_t>(x) + static_cast<uintptr_t>(place) * sizeof(float);
  __builtin_prefetch(reinterpret_cast<const void*>(address), 0, 3);
}

// body(row, i) for every row; i < kParts differs for neighbouring rows: sums in so many parts do not wait for each
// other.
constexpr int kParts = 4;

template <class Body>
HWY_INLINE void for_each_row(int64_t rows, const Body& body) {
  int64_t row = 0;
  for (; row + kParts <= rows; row += kParts) {
#pragma GCC unroll 4
    for (int i = 0; i < kParts; ++i) body(row + i, i);
  }
  for (; row < rows; ++row) body(row, 0);
}

// Sums of a vector of channels over rows.
template <class D, class V = hn::Vec<D>>
struct RowSums {
  V part[kParts];

  HWY_INLINE explicit RowSums(D d) : part{hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)} {}
  HWY_INLINE V total() const { return hn::Add(hn::Add(part[0], part[1]), hn::Add(part[2], part[3])); }
};

// All loops below take the channels vector by vector and all rows of each, with its coefficients in registers: a cache
// line of x is read whole, and by few vectors.
template <bool kRelu>
void normalise(const ChannelNorm& norm, const float* x, int64_t rows, int64_t C, float* y) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto mean = hn::LoadU(d, norm.mean + c), scale = hn::LoadU(d, norm.scale + c);
    const auto beta = hn::LoadU(d, norm.beta + c);
    for_each_row(rows, [&](int64_t row, int) HWY_ATTR {
      auto v = normalised(d, hn::LoadU(d, x + row * C + c), mean, scale, beta);
      if constexpr (kRelu) v = rectified(d, v);
      hn::StoreU(v, d, y + row * C + c);
    });
  });
}

// The rows y of normalise(), in slabs of whole vectors.
template <bool kRelu>
void normalise_to_slabs(const ChannelNorm& norm, const float* HWY_RESTRICT x, int64_t rows, int64_t C,
                        float* HWY_RESTRICT out, int64_t slab) {
  constexpr int64_t kLanes = HWY_LANES(float);
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto mean = hn::LoadU(d, norm.mean + c), scale = hn::LoadU(d, norm.scale + c);
    const auto beta = hn::LoadU(d, norm.beta + c);
    float* HWY_RESTRICT y = out + c / kLanes * slab;
    for_each_row(rows, [&](int64_t row, int) HWY_ATTR {
      auto v = normalised(d, hn::LoadU(d, x + row * C + c), mean, scale, beta);
      if constexpr (kRelu) v = rectified(d, v);
      hn::StoreU(v, d, y + row * kLanes);
    });
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

template <bool kRelu, bool kTraining>
void norm_gradient(const ChannelNormGradient& norm, const float* HWY_RESTRICT x, const float* HWY_RESTRICT g,
                   int64_t rows, int64_t C, float* HWY_RESTRICT out) {
  const ChannelNorm& n = norm.norm;
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto mean = hn::LoadU(d, n.mean + c), scale = hn::LoadU(d, n.scale + c);
    const auto beta = kRelu ? hn::LoadU(d, n.beta + c) : hn::Zero(d);
    auto slope = hn::Zero(d), offset = slope;
    if constexpr (kTraining) {
      slope = hn::LoadU(d, norm.slope + c);
      offset = hn::LoadU(d, norm.offset + c);
    }
    for_each_row(rows, [&](int64_t row, int) HWY_ATTR {
      const int64_t at = row * C + c;
      const auto value = hn::LoadU(d, x + at);
      auto gradient = hn::LoadU(d, g + at);
      if constexpr (kRelu) gradient = behind_relu(d, gradient, normalised(d, value, mean, scale, beta));
      if constexpr (kTraining) gradient = hn::Sub(gradient, hn::MulAdd(hn::Sub(value, mean), slope, offset));
      hn::StoreU(hn::Mul(scale, gradient), d, out + at);
    });
  });
}

template <bool kRelu, bool kStores>
void mask_and_sum(const ChannelNorm& norm, const float* x, const float* g, float* dv, int64_t rows, int64_t C,
                  float* HWY_RESTRICT sums) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto mean = hn::LoadU(d, norm.mean + c), scale = hn::LoadU(d, norm.scale + c),
               beta = hn::LoadU(d, norm.beta + c);
    RowSums sum(d), product(d);
    for_each_row(rows, [&](int64_t row, int i) HWY_ATTR {
      const int64_t at = row * C + c;
      ask_for(x, at + rows * C);  // the rows behind these are likely to be next
      ask_for(g, at + rows * C);
      const auto value = hn::LoadU(d, x + at);
      auto gradient = hn::LoadU(d, g + at);
      if constexpr (kRelu) gradient = behind_relu(d, gradient, normalised(d, value, mean, scale, beta));
      if constexpr (kStores) hn::StoreU(gradient, d, dv + at);
      sum.part[i] = hn::Add(sum.part[i], gradient);
      product.part[i] = hn::MulAdd(gradient, hn::Sub(value, mean), product.part[i]);
    });
    hn::StoreU(hn::Add(hn::LoadU(d, sums + c), sum.total()), d, sums + c);
    hn::StoreU(hn::Add(hn::LoadU(d, sums + C + c), product.total()), d, sums + C + c);
  });
}

template <bool kMore, bool kSums>
void relu_sum_gradient(const ReluSumGradient& given, int64_t rows, int64_t C, float* HWY_RESTRICT sums) {
  const ReluSumGradient g = given;
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    auto mean = hn::Zero(d);
    if constexpr (kSums) mean = hn::LoadU(d, g.mean + c);
    RowSums sum(d), product(d);
    for_each_row(rows, [&](int64_t row, int i) HWY_ATTR {
      const int64_t at = row * C + c;
      auto gradient = hn::LoadU(d, g.dy + at);
      if constexpr (kMore) gradient = hn::Add(gradient, hn::LoadU(d, g.more + at));
      gradient = behind_relu(d, gradient, hn::LoadU(d, g.y + at));
      hn::StoreU(gradient, d, g.dv + at);
      if constexpr (kSums) {
        sum.part[i] = hn::Add(sum.part[i], gradient);
        product.part[i] = hn::MulAdd(gradient, hn::Sub(hn::LoadU(d, g.x + at), mean), product.part[i]);
      }
    });
    if constexpr (kSums) {
      hn::StoreU(hn::Add(hn::LoadU(d, sums + c), sum.total()), d, sums + c);
      hn::StoreU(hn::Add(hn::LoadU(d, sums + C + c), product.total()), d, sums + C + c);
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
  if (norm.slope == nullptr) {
    norm.norm.relu ? norm_gradient<true, false>(norm, x, g, rows, C, out)
                   : norm_gradient<false, false>(norm, x, g, rows, C, out);
  } else {
    norm.norm.relu ? norm_gradient<true, true>(norm, x, g, rows, C, out)
                   : norm_gradient<false, true>(norm, x, g, rows, C, out);
  }
}

void MaskAndSumRowsKernel(const ChannelNorm& norm, const float* x, const float* g, float* dv, int64_t rows, int64_t C,
                          float* sums) {
  if (dv == nullptr) {
    norm.relu ? mask_and_sum<true, false>(norm, x, g, dv, rows, C, sums)
              : mask_and_sum<false, false>(norm, x, g, dv, rows, C, sums);
  } else {
    norm.relu ? mask_and_sum<true, true>(norm, x, g, dv, rows, C, sums)
              : mask_and_sum<false, true>(norm, x, g, dv, rows, C, sums);
  }
}

// sums [3][C]: mean, sum of x - mean, sum of (x - mean)^2.
void StatisticsRowsKernel(const float* x, int64_t rows, int64_t C, float* sums) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    RowSums sum(d), centred(d), square(d);
    for_each_row(
        rows, [&](int64_t row, int i) HWY_ATTR { sum.part[i] = hn::Add(sum.part[i], hn::LoadU(d, x + row * C + c)); });
    const auto mean = hn::Div(sum.total(), hn::Set(d, static_cast<float>(rows)));
    for_each_row(rows, [&](int64_t row, int i) HWY_ATTR {
      const auto difference = hn::Sub(hn::LoadU(d, x + row * C + c), mean);
      centred.part[i] = hn::Add(centred.part[i], difference);
      square.part[i] = hn::Add(square.part[i], hn::Mul(difference, difference));
    });
    hn::StoreU(mean, d, sums + c);
    hn::StoreU(centred.total(), d, sums + C + c);
    hn::StoreU(square.total(), d, sums + 2 * C + c);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {
namespace {

HWY_EXPORT(NormaliseRowsKernel);
HWY_EXPORT(NormaliseUnitsKernel);
HWY_EXPORT(NormGradientRowsKernel);
HWY_EXPORT(MaskAndSumRowsKernel);
HWY_EXPORT(StatisticsRowsKernel);
HWY_EXPORT(ReluSumGradientRowsKernel);

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

}  // namespace igcnet
#endif  // HWY_ONCE
