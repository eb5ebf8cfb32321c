// What the loops of Rotate3x3 and RotateGradient3x3 (row_kernels.h) share: turning a vector, repeating an input, sums
// of one weight vector a column, and the mask of outputs. Included once per instruction set, like
// cpu/vector_block-inl.h. Checked through conv2d and igc_block.
#if defined(IGCNET_CPU_VECTOR_TURN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef IGCNET_CPU_VECTOR_TURN_INL_H_
#undef IGCNET_CPU_VECTOR_TURN_INL_H_
#else
#define IGCNET_CPU_VECTOR_TURN_INL_H_
#endif

#include "cpu/vector_block-inl.h"
#include "cpu/vector_norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

// Whether a turn consists of shuffles within 128 bits and changes of neighbouring 128 bits, which cost an operation
// each.
template <int kM>
constexpr bool kShuffles = kM == 2 || kM == 4 || kM == 8;

// Lane i of a turned vector is lane rotation[j][i] of the vector: i xor j if kShuffles.
template <int kM>
HWY_INLINE V turned(V v, int j, const int32_t* rotation) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kShuffles<kM>) {
    if (j & 1) v = j & 2 ? hn::Shuffle0123(v) : hn::Shuffle2301(v);
    if ((j & 3) == 2) v = hn::Shuffle1032(v);
    if constexpr (kM == 8) {
      if (j & 4) v = hn::SwapAdjacentBlocks(v);
    }
    return v;
  }
#endif
  return hn::TableLookupLanes(v, hn::SetTableIndices(D(), rotation + j * kLanes));
}

// A value that is computed here, once: left alone, GCC orders the loop in a way that copies registers.
HWY_INLINE V computed(V v) {
#if HWY_COMPILER_GCC_ACTUAL && HWY_TARGET == HWY_AVX3
  asm("" : "+v"(v.raw));
#endif
  return v;
}

// A value of the second or third of four input rows (F(2, 3)). It has two uses where rows are the inner ones of a
// product, for each of which GCC would load it.
template <bool kOuter>
HWY_INLINE V inner_row(const float* p) {
  return kOuter ? hn::LoadU(D(), p) : load_once(p);
}

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

// Outputs with a sum each, beside three weights and an input. GCC spills sums from 12 on where there are 16 registers.
constexpr int kMostSums = kManyRegisters ? 16 : 11;

// What one kernel row adds to kOutputs neighbouring outputs with one weight vector a column. Each input is loaded once
// for the three columns that it meets: 33 multiply-adds take 16 loads.
template <int kOutputs, V (*kLoad)(const float*)>
HWY_INLINE void add_kernel_row(const float* x, const float* w, int w_column, V* out) {
  V weight[3];
#pragma GCC unroll 3
  for (int s = 0; s < 3; ++s) weight[s] = load_again(w + s * w_column);
#pragma GCC unroll 18
  for (int column = 0; column < kOutputs + 2; ++column) {
    const V value = kLoad(x + column * kLanes);
#pragma GCC unroll 3
    for (int s = 0; s < 3; ++s) {
      if (column < s || column - s >= kOutputs) continue;
      out[column - s] = hn::MulAdd(weight[s], value, out[column - s]);
    }
  }
}

// kRows rows from place t on with the weights of a kernel row each. There is one sum for each output, which is turned
// on from j to j: when that of the next j is added to it, what is there already has come as far as that one has.
template <int kM, int kOutputs, int kRows>
HWY_INLINE void sum_turn_by_turn(const float* const* rows, int64_t t, const float* const* w, const int32_t* rotation,
                                 V* out) {
#pragma GCC unroll 8
  for (int turn = kM - 1; turn >= 0; --turn) {
    // Neighbours differ in one bit, or by 1.
    const auto place = [](int i) { return kShuffles<kM> ? i ^ (i >> 1) : i; };
    const int j = place(turn);
    for (int r = 0; r < kRows; ++r) {
      add_kernel_row<kOutputs, load_again>(anew(rows[r] + t), anew(w[r] + j * kLanes), kM * kLanes, out);
    }
    if (turn == 0) return;
    const int step = kShuffles<kM> ? j ^ place(turn - 1) : 1;
#pragma GCC unroll 16
    for (int i = 0; i < kOutputs; ++i) out[i] = turned<kM>(out[i], step, rotation);
  }
}

// Likewise of groups of kLanes channels: input j, repeated over the vector, meets all outputs. Nothing turns.
template <int kOutputs, int kRows>
HWY_INLINE void sum_repeated(const float* const* rows, int64_t t, const float* const* w, V* out) {
  for (int r = 0; r < kRows; ++r) {
    const float *x = anew(rows[r] + t), *weights = anew(w[r]);
#pragma GCC unroll 1
    for (int j = 0; j < kLanes; ++j, ++x, weights += kLanes) {
      add_kernel_row<kOutputs, repeat>(x, weights, kLanes * kLanes, out);
    }
  }
}

// The mask of outputs of a vector of channels, and its sums, in registers from here to put().
struct MaskedBlock {
  static constexpr int kSums = kManyRegisters ? 2 : 1;  // of each, that need not wait for each other
  const MaskedSums& mask;
  int64_t channel;
  V mean, scale, beta, sum[2], product[2];

  HWY_INLINE MaskedBlock(const MaskedSums& given, int64_t first)
      : mask(given),
        channel(first),
        mean(hn::LoadU(D(), mask.norm.mean + channel)),
        scale(hn::LoadU(D(), mask.norm.scale + channel)),
        beta(hn::LoadU(D(), mask.norm.beta + channel)),
        sum{hn::LoadU(D(), mask.sum + channel), hn::Zero(D())},
        product{hn::LoadU(D(), mask.product + channel), hn::Zero(D())} {}

  // Of kOutputs outputs y, which lie `at` floats behind those of the task.
  template <int kOutputs>
  HWY_INLINE void add(int64_t at, int64_t step, V* y) {
    const float* x = mask.x + at;
#pragma GCC unroll 16
    for (int i = 0; i < kOutputs; ++i, x += step) {
      const V value = hn::LoadU(D(), x);
      y[i] = behind_relu(D(), computed(y[i]), normalised(D(), value, mean, scale, beta));
      sum[i % kSums] = hn::Add(sum[i % kSums], y[i]);
      product[i % kSums] = hn::MulAdd(y[i], hn::Sub(value, mean), product[i % kSums]);
    }
  }

  HWY_INLINE void put() const {
    hn::StoreU(kSums == 2 ? hn::Add(sum[0], sum[1]) : sum[0], D(), mask.sum + channel);
    hn::StoreU(kSums == 2 ? hn::Add(product[0], product[1]) : product[0], D(), mask.product + channel);
  }
};

// Stores kOutputs outputs from y on, `step` floats apart, and returns the place behind them. kWhole: all lanes are
// stored.
template <int kOutputs, bool kWhole>
HWY_INLINE float* put_outputs(float* y, int64_t step, int64_t active, const V* out) {
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs; ++i) {
    if constexpr (kWhole) {
      hn::StoreU(out[i], D(), y);
    } else {
      store_first(out[i], active, y);
    }
    y = anew(y + step);
  }
  return y;
}

// Likewise, behind the mask of the task if there is one. `begin`: where the first unit's outputs are.
template <int kOutputs, bool kWhole>
HWY_INLINE void put_outputs(const Rotate3x3& task, const float* begin, int64_t unit, float* y, V* out) {
  if constexpr (kWhole) {
    if (task.mask.x != nullptr) {
      MaskedBlock masked(task.mask, unit * task.y_unit);
      masked.add<kOutputs>(y - begin, task.y_step, out);
      masked.put();
    }
  }
  put_outputs<kOutputs, kWhole>(y, task.y_step, task.active, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
