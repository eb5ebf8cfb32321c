// The loops of row_kernels.h, compiled once per instruction set. Sums run over rows, then a, in f32 with fused
// multiply-adds where the machine has them. Each loop exists for every number of outputs (or gradients) that the
// registers hold, so a row is cut into equal blocks without a slow remainder.
#include "cpu/row_kernels.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cpu/equal_blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/row_kernels.cc"
#include "cpu/simd.h"
#include "cpu/vector_block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace {

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
    return V{_mm512_broadcast_f32x8(_mm256_loadu_ps(p))};  // Combine() would cost an arithmetic port
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

// Adds the outputs of a block, kVectors for each of kOutputs pixels, to their sums.
template <int kOutputs, int kVectors>
HWY_INLINE void add_to_sums(const V* output, const ShiftedSums& sums, int64_t y_vector, bool starts) {
  for (int v = 0; v < kVectors; ++v) {
    const int64_t at = v * y_vector;
    V shift;
    if (starts) {
      shift = output[v];
#pragma GCC unroll 16
      for (int j = 1; j < kOutputs; ++j) shift = hn::Add(shift, output[j * kVectors + v]);
      shift = hn::Mul(shift, hn::Set(D(), 1.0f / kOutputs));
    } else {
      shift = hn::LoadU(D(), sums.shift + at);
    }
    V sum = starts ? hn::Zero(D()) : hn::LoadU(D(), sums.sum + at);
    V square = starts ? hn::Zero(D()) : hn::LoadU(D(), sums.square + at);
#pragma GCC unroll 16
    for (int j = 0; j < kOutputs; ++j) {
      const V difference = hn::Sub(output[j * kVectors + v], shift);
      sum = hn::Add(sum, difference);
      square = hn::MulAdd(difference, difference, square);
    }
    if (starts) hn::StoreU(shift, D(), sums.shift + at);
    hn::StoreU(sum, D(), sums.sum + at);
    hn::StoreU(square, D(), sums.square + at);
  }
}

constexpr bool kStreams = HWY_TARGET == HWY_AVX3;
bool StreamsOutputsKernel() { return kStreams; }

// Between two shares, of the sums and of the pixels: about as much work as that of rotate_3x3().
constexpr int64_t kShareDepth = kManyRegisters ? 4 : 12, kSharePixels = kManyRegisters ? 4 : 16;

// Stores the outputs of a block from y on, and moves y behind them.
template <int kOutputs, int kVectors, bool kWhole>
HWY_INLINE void put_block(const V* output, const CorrelateRow& row, float*& y) {
#pragma GCC unroll 48
  for (int j = 0; j < kOutputs; ++j) {
    for (int v = 0; v < kVectors; ++v) {
      float* place = y + v * row.y_vector;
      if constexpr (!kWhole) {
        store_first(output[j * kVectors + v], row.active, place);
      } else if (kStreams && row.streams) {
        hn::Stream(output[j * kVectors + v], D(), place);
      } else {
        hn::StoreU(output[j * kVectors + v], D(), place);
      }
    }
    y = anew(y + row.y_step);
  }
}

// `blocks` blocks of kOutputs neighbouring outputs from t on; each weight vector is loaded once for all of a block.
// kWhole: all lanes are stored.
template <int kOutputs, int kVectors, class Load, bool kWhole>
HWY_NOINLINE void correlate_blocks(const CorrelateRow& given, int64_t t, int64_t blocks) {
  const CorrelateRow row = given;  // nobody else has its address, so stores to y leave it in registers
  const Load load;
  const int64_t step = row.step, element = row.element;
  float* y = row.y + t * row.y_step;
  for (; blocks > 0; --blocks, t += kOutputs) {
    V sum[kOutputs * kVectors];
#pragma GCC unroll 48
    for (int j = 0; j < kOutputs * kVectors; ++j) sum[j] = hn::Zero(D());
    for (int64_t r = 0; r < row.rows; ++r) {
      const float* HWY_RESTRICT w = row.w[r];
      const float* HWY_RESTRICT x = row.x[r] + t * step;
      for (int64_t left = row.depth; left > 0; left -= kShareDepth) {
        if (row.ahead != nullptr) row.ahead->share();
#pragma GCC unroll 2
        for (int64_t a = std::min(left, kShareDepth); a > 0; --a, w += kLanes * kVectors, x += element) {
          V weight[kVectors];
          for (int v = 0; v < kVectors; ++v) weight[v] = hn::Load(D(), w + v * kLanes);
          const float* HWY_RESTRICT input = x;
#pragma GCC unroll 48
          for (int j = 0; j < kOutputs; ++j, input += step) {
            const V value = load(input);
            for (int v = 0; v < kVectors; ++v) {
              sum[j * kVectors + v] = hn::MulAdd(weight[v], value, sum[j * kVectors + v]);
            }
          }
        }
      }
    }
    if constexpr (kWhole) {
      if (row.sums.shift != nullptr) {
        add_to_sums<kOutputs, kVectors>(sum, row.sums, row.y_vector, row.sums.starts && t == 0);
      }
    }
    put_block<kOutputs, kVectors, kWhole>(sum, row, y);
  }
}

constexpr int kMostOutputs[kMaxVectors] = {kManyRegisters ? 16 : 12, kManyRegisters ? 12 : 6, kManyRegisters ? 8 : 4};

int64_t CorrelateSharesKernel(int64_t vectors, int64_t depth, int64_t count) {
  return EqualBlocks(count, kMostOutputs[vectors - 1]).blocks * ((depth + kShareDepth - 1) / kShareDepth);
}

template <int kVectors, class Load, bool kWhole, int... kOutputs>
HWY_INLINE void correlate_row_of(const CorrelateRow& row, std::integer_sequence<int, kOutputs...>) {
  using Blocks = void (*)(const CorrelateRow&, int64_t, int64_t);
  static constexpr Blocks kBlocks[] = {correlate_blocks<kOutputs + 1, kVectors, Load, kWhole>...};
  EqualBlocks(row.count, sizeof...(kOutputs)).for_each_size([&](int64_t size, int64_t first, int64_t blocks) {
    kBlocks[size - 1](row, first, blocks);
  });
}

template <int kVectors, class Load>
HWY_INLINE void correlate_row_by(const CorrelateRow& row) {
  constexpr std::make_integer_sequence<int, kMostOutputs[kVectors - 1]> kOutputs;
  row.active == kLanes ? correlate_row_of<kVectors, Load, true>(row, kOutputs)
                       : correlate_row_of<kVectors, Load, false>(row, kOutputs);
}

void CorrelateRowKernel(const CorrelateRow& row) {
  with_loader(row.loader, [&](const auto& load) HWY_ATTR {
    using Load = std::decay_t<decltype(load)>;
    if (row.vectors == 1) {
      correlate_row_by<1, Load>(row);
    } else if (row.vectors == 2) {
      correlate_row_by<2, Load>(row);
    } else {
      correlate_row_by<kMaxVectors, Load>(row);
    }
  });
}

// kSums gradients from a on, of each vector, stay in registers over all rows. Their sum starts at 0 and is added to dw
// once, so the long sum over the batch is a sum of short ones, which rounds less.
template <int kSums, int kVectors, class Load>
HWY_NOINLINE void gradient_block(const WeightGradientRows& row, int64_t a) {
  const Load load;
  V sum[kSums * kVectors];
#pragma GCC unroll 48
  for (int j = 0; j < kSums * kVectors; ++j) sum[j] = hn::Zero(D());
  const int64_t element = row.element;
  for (int64_t r = 0; r < row.rows; ++r) {
    const float* HWY_RESTRICT x = row.x[r] + a * element;
    const float* HWY_RESTRICT dy = row.dy[r];
    for (int64_t t = row.count; t > 0; --t, x += row.step, dy += row.dy_step) {
      if (row.ahead != nullptr && t % kSharePixels == 0) row.ahead->share();
      V gradient[kVectors];
      for (int v = 0; v < kVectors; ++v) gradient[v] = hn::LoadU(D(), dy + v * row.dy_vector);
      const float* HWY_RESTRICT input = x;
#pragma GCC unroll 48
      for (int j = 0; j < kSums; ++j, input += element) {
        const V value = load(input);
        for (int v = 0; v < kVectors; ++v) {
          sum[j * kVectors + v] = hn::MulAdd(gradient[v], value, sum[j * kVectors + v]);
        }
      }
    }
  }
  float* HWY_RESTRICT dw = row.dw + a * kVectors * kLanes;
#pragma GCC unroll 48
  for (int j = 0; j < kSums * kVectors; ++j) {
    hn::Store(hn::Add(hn::Load(D(), dw + j * kLanes), sum[j]), D(), dw + j * kLanes);
  }
}

template <int kVectors, class Load, int... kSums>
HWY_INLINE void gradient_blocks(const WeightGradientRows& row, std::integer_sequence<int, kSums...>) {
  using Block = void (*)(const WeightGradientRows&, int64_t);
  static constexpr Block kBlocks[] = {gradient_block<kSums + 1, kVectors, Load>...};
  for_equal_blocks<sizeof...(kSums)>(row.depth, [&](int64_t a, int64_t sums) { kBlocks[sums - 1](row, a); });
}

// Gradients that have their sums in registers at a time.
constexpr int kMost1 = 12, kMost2 = kManyRegisters ? 12 : 6, kMost3 = kManyRegisters ? 8 : 4;

int64_t GradientSharesKernel(int64_t vectors, int64_t depth, int64_t count) {
  const int64_t most = vectors == 1 ? kMost1 : vectors == 2 ? kMost2 : kMost3;
  return EqualBlocks(depth, most).blocks * (count / kSharePixels);
}

void WeightGradientRowsKernel(const WeightGradientRows& row) {
  with_loader(row.loader, [&](const auto& load) HWY_ATTR {
    using Load = std::decay_t<decltype(load)>;
    if (row.vectors == 1) {
      gradient_blocks<1, Load>(row, std::make_integer_sequence<int, kMost1>());
    } else if (row.vectors == 2) {
      gradient_blocks<2, Load>(row, std::make_integer_sequence<int, kMost2>());
    } else {
      gradient_blocks<kMaxVectors, Load>(row, std::make_integer_sequence<int, kMost3>());
    }
  });
}

// Input m of `count` pixels from `x` on; the first `active` lanes are stored. A table of up to two vectors is a
// permutation of lanes, a wider one a gather.
template <int kVectors>
HWY_INLINE void expand_input(const float* HWY_RESTRICT x, int64_t pixel, int64_t count, const int32_t* table,
                             float* HWY_RESTRICT out, int64_t out_step, int64_t active = kLanes) {
  const hn::RebindToSigned<D> di;
  const auto entries = hn::LoadU(di, table);
  const auto indices = hn::IndicesFromVec(D(), hn::And(entries, hn::Set(di, kLanes - 1)));
  const auto from_low = hn::RebindMask(D(), hn::Lt(entries, hn::Set(di, kLanes)));
  for (int64_t j = 0; j < count; ++j, x += pixel, out += out_step) {
    if constexpr (kVectors > 2) {
      store_first(hn::GatherIndex(D(), x, entries), active, out);
    } else {
      V v = hn::TableLookupLanes(hn::LoadU(D(), x), indices);
      if constexpr (kVectors == 2) {
        v = hn::IfThenElse(from_low, v, hn::TableLookupLanes(hn::LoadU(D(), x + kLanes), indices));
      }
      store_first(v, active, out);
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
    // Of the last pixels of the memory no full vectors are left to read.
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
HWY_EXPORT(StreamsOutputsKernel);
HWY_EXPORT(CorrelateSharesKernel);
HWY_EXPORT(GradientSharesKernel);
HWY_EXPORT(WeightGradientRowsKernel);
HWY_EXPORT(ExpandRowKernel);
HWY_EXPORT(GatherRowKernel);
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
bool streams_outputs() { return HWY_DYNAMIC_DISPATCH(StreamsOutputsKernel)(); }
int64_t correlate_shares(int64_t vectors, int64_t depth, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(CorrelateSharesKernel)(vectors, depth, count);
}
int64_t gradient_shares(int64_t vectors, int64_t depth, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(GradientSharesKernel)(vectors, depth, count);
}
void weight_gradient_rows(const WeightGradientRows& row) { HWY_DYNAMIC_DISPATCH(WeightGradientRowsKernel)(row); }
void expand_row(const ExpandRow& row) { HWY_DYNAMIC_DISPATCH(ExpandRowKernel)(row); }
void gather_row(const ExpandRow& row) { HWY_DYNAMIC_DISPATCH(GatherRowKernel)(row); }

}  // namespace igcnet
#endif  // HWY_ONCE
