// The loops of row_kernels.h, compiled once per instruction set. Sums run over rows, then a, in f32 with fused
// multiply-adds where the machine has them.
#include "cpu/row_kernels.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/row_kernels.cc"
#include "cpu/simd.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(HWY_LANES(float));

struct LoadVector {
  HWY_INLINE V operator()(const float* p) const { return hn::LoadU(D(), p); }
};

struct LoadTuple1 {
  HWY_INLINE V operator()(const float* p) const { return hn::Set(D(), *p); }
};

struct LoadTuple2 {
  HWY_INLINE V operator()(const float* p) const {
#if HWY_TARGET == HWY_SCALAR
    return hn::LoadU(D(), p);  // tuple_loader() does not give it
#else
    double pair;
    std::memcpy(&pair, p, sizeof(pair));
    return hn::BitCast(D(), hn::Set(hn::ScalableTag<double>(), pair));
#endif
  }
};

struct LoadTuple4 {
  HWY_INLINE V operator()(const float* p) const { return hn::LoadDup128(D(), p); }
};

#if HWY_TARGET == HWY_AVX3
struct LoadTuple8 {
  HWY_INLINE V operator()(const float* p) const {
    const hn::Half<D> half;
    const auto v = hn::LoadU(half, p);
    return hn::Combine(D(), v, v);
  }
};
#endif

// Calls body(loader) with the function object of `loader`.
template <class Body>
HWY_INLINE void with_loader(Loader loader, const Body& body) {
  switch (loader) {
    case Loader::kVector:
      return body(LoadVector());
    case Loader::kTuple1:
      return body(LoadTuple1());
    case Loader::kTuple2:
      return body(LoadTuple2());
    case Loader::kTuple4:
      return body(LoadTuple4());
    case Loader::kTuple8:
#if HWY_TARGET == HWY_AVX3
      return body(LoadTuple8());
#else
      return;  // tuple_loader() does not give it
#endif
  }
}

// The first `active` lanes, without touching what lies behind them (another thread may write there).
HWY_INLINE void store_first(V v, int64_t active, float* y) {
  if (active == kLanes) {
    hn::StoreU(v, D(), y);
    return;
  }
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(D(), static_cast<size_t>(active)), D(), y);
#else
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, D(), lanes);
  std::copy_n(lanes, active, y);
#endif
}

// kOutputs neighbouring outputs from t on; each weight vector is loaded once for all of them.
template <int kOutputs, class Load>
HWY_INLINE void correlate_block(const CorrelateRow& row, int64_t t, const Load& load) {
  V sum[kOutputs];
  for (int j = 0; j < kOutputs; ++j) sum[j] = hn::Zero(D());
  for (int64_t r = 0; r < row.rows; ++r) {
    const float* HWY_RESTRICT w = row.w[r];
    const float* HWY_RESTRICT x = row.x[r] + t * row.step;
    for (int64_t a = 0; a < row.depth; ++a, w += kLanes, x += row.element) {
      const V weight = hn::Load(D(), w);
      for (int j = 0; j < kOutputs; ++j) sum[j] = hn::MulAdd(weight, load(x + j * row.step), sum[j]);
    }
  }
  for (int j = 0; j < kOutputs; ++j) store_first(sum[j], row.active, row.y + (t + j) * row.y_step);
}

void CorrelateRowKernel(const CorrelateRow& row) {
  with_loader(row.loader, [&](const auto& load) HWY_ATTR {
    int64_t t = 0;
    for (; t + 8 <= row.count; t += 8) correlate_block<8>(row, t, load);
    if (t + 4 <= row.count) {
      correlate_block<4>(row, t, load);
      t += 4;
    }
    if (t + 2 <= row.count) {
      correlate_block<2>(row, t, load);
      t += 2;
    }
    if (t < row.count) correlate_block<1>(row, t, load);
  });
}

// kSums gradients from a on stay in registers over the whole row. The row's sum starts at 0 and is added to dw once,
// so the long sum over the batch is a sum of short ones, which rounds less.
template <int kSums, class Load>
HWY_INLINE void gradient_block(const WeightGradientRow& row, int64_t a, const Load& load) {
  V sum[kSums];
  for (int j = 0; j < kSums; ++j) sum[j] = hn::Zero(D());
  const float* HWY_RESTRICT x = row.x + a * row.element;
  const float* HWY_RESTRICT dy = row.dy;
  for (int64_t t = 0; t < row.count; ++t, x += row.step, dy += kLanes) {
    const V gradient = hn::Load(D(), dy);
    for (int j = 0; j < kSums; ++j) sum[j] = hn::MulAdd(gradient, load(x + j * row.element), sum[j]);
  }
  float* HWY_RESTRICT dw = row.dw + a * kLanes;
  for (int j = 0; j < kSums; ++j) hn::Store(hn::Add(hn::Load(D(), dw + j * kLanes), sum[j]), D(), dw + j * kLanes);
}

void WeightGradientRowKernel(const WeightGradientRow& row) {
  with_loader(row.loader, [&](const auto& load) HWY_ATTR {
    int64_t a = 0;
    for (; a + 12 <= row.depth; a += 12) gradient_block<12>(row, a, load);
    if (a + 8 <= row.depth) {
      gradient_block<8>(row, a, load);
      a += 8;
    }
    if (a + 6 <= row.depth) {
      gradient_block<6>(row, a, load);
      a += 6;
    }
    if (a + 4 <= row.depth) {
      gradient_block<4>(row, a, load);
      a += 4;
    }
    if (a + 3 == row.depth) {
      gradient_block<3>(row, a, load);
      a += 3;
    }
    if (a + 2 <= row.depth) {
      gradient_block<2>(row, a, load);
      a += 2;
    }
    if (a < row.depth) gradient_block<1>(row, a, load);
  });
}

// Input m of `count` pixels from `x` on. A table of up to two vectors is a permutation of lanes, a wider one a gather.
template <int kVectors>
HWY_INLINE void expand_input(const float* HWY_RESTRICT x, int64_t pixel, int64_t count, const int32_t* table,
                             float* HWY_RESTRICT out, int64_t out_step) {
  const hn::RebindToSigned<D> di;
  const auto entries = hn::LoadU(di, table);
  const auto indices = hn::IndicesFromVec(D(), hn::And(entries, hn::Set(di, kLanes - 1)));
  const auto from_low = hn::RebindMask(D(), hn::Lt(entries, hn::Set(di, kLanes)));
  for (int64_t j = 0; j < count; ++j, x += pixel, out += out_step) {
    if constexpr (kVectors > 2) {
      hn::Store(hn::GatherIndex(D(), x, entries), D(), out);
    } else {
      V v = hn::TableLookupLanes(hn::LoadU(D(), x), indices);
      if constexpr (kVectors == 2) {
        v = hn::IfThenElse(from_low, v, hn::TableLookupLanes(hn::LoadU(D(), x + kLanes), indices));
      }
      hn::Store(v, D(), out);
    }
  }
}

template <int kVectors>
HWY_INLINE void expand_runs(const ExpandRow& row) {
  constexpr int64_t kRead = kVectors > 2 ? 1 : int64_t{kVectors} * kLanes;
  const int64_t step = row.inputs * kLanes;
  for (const PixelRun* run = row.runs; run < row.runs + row.run_count; ++run) {
    const float* x = row.x + run->column * row.pixel;
    float* out = row.out + run->buffer * step;
    // Of the last pixels of the tensor no full vectors are left to read.
    const int64_t full = std::clamp<int64_t>((row.end - x - kRead + row.pixel) / row.pixel, 0, run->count);
    for (int64_t m = 0; m < row.inputs; ++m) {
      expand_input<kVectors>(x, row.pixel, full, row.table + m * kLanes, out + m * kLanes, step);
    }
    for (int64_t j = full; j < run->count; ++j) {
      float tail[2 * kLanes] = {};
      std::copy(x + j * row.pixel, row.end, tail);
      for (int64_t m = 0; m < row.inputs; ++m) {
        expand_input<kVectors>(tail, 0, 1, row.table + m * kLanes, out + j * step + m * kLanes, 0);
      }
    }
  }
}

void ExpandRowKernel(const ExpandRow& row) {
  if (row.span <= kLanes) {
    expand_runs<1>(row);
  } else if (row.span <= 2 * kLanes) {
    expand_runs<2>(row);
  } else {
    expand_runs<3>(row);
  }
}

void GatherRowKernel(const ExpandRow& row) {
  for (const PixelRun* run = row.runs; run < row.runs + row.run_count; ++run) {
    const float* HWY_RESTRICT x = row.x + run->column * row.pixel;
    float* HWY_RESTRICT out = row.out + run->buffer * row.inputs;
    for (int64_t j = 0; j < run->count; ++j, x += row.pixel, out += row.inputs) {
      int64_t m = 0;
      for (; m + kLanes <= row.inputs; m += kLanes) hn::StoreU(hn::LoadU(D(), x + m), D(), out + m);
      for (; m < row.inputs; ++m) out[m] = x[m];
    }
  }
}

void PackRowKernel(const float* x, int64_t pixel, int64_t count, int64_t active, float* out) {
  if (active == kLanes) {
    for (int64_t t = 0; t < count; ++t) hn::Store(hn::LoadU(D(), x + t * pixel), D(), out + t * kLanes);
    return;
  }
  for (int64_t t = 0; t < count; ++t) {
    std::copy_n(x + t * pixel, active, out + t * kLanes);
    std::fill_n(out + t * kLanes + active, kLanes - active, 0.0f);
  }
}

int64_t LanesKernel() { return kLanes; }

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {
namespace {

HWY_EXPORT(CorrelateRowKernel);
HWY_EXPORT(WeightGradientRowKernel);
HWY_EXPORT(ExpandRowKernel);
HWY_EXPORT(GatherRowKernel);
HWY_EXPORT(PackRowKernel);
HWY_EXPORT(LanesKernel);

}  // namespace

int64_t simd_lanes() { return HWY_DYNAMIC_DISPATCH(LanesKernel)(); }

Loader tuple_loader(int64_t M) {
  const int64_t lanes = simd_lanes();
  if (M == 1) return Loader::kTuple1;
  if (M == 2 && lanes > 2) return Loader::kTuple2;
  if (M == 4 && lanes > 4) return Loader::kTuple4;
  if (M == 8 && lanes > 8) return Loader::kTuple8;
  return Loader::kVector;
}

void correlate_row(const CorrelateRow& row) { HWY_DYNAMIC_DISPATCH(CorrelateRowKernel)(row); }
void weight_gradient_row(const WeightGradientRow& row) { HWY_DYNAMIC_DISPATCH(WeightGradientRowKernel)(row); }
void expand_row(const ExpandRow& row) { HWY_DYNAMIC_DISPATCH(ExpandRowKernel)(row); }
void gather_row(const ExpandRow& row) { HWY_DYNAMIC_DISPATCH(GatherRowKernel)(row); }
void pack_row(const float* x, int64_t pixel, int64_t count, int64_t active, float* out) {
  HWY_DYNAMIC_DISPATCH(PackRowKernel)(x, pixel, count, active, out);
}

}  // namespace igcnet
#endif  // HWY_ONCE
