// igc_block backward in two kernels (igc_tile.h). The first goes over tiles of the output map: it carries out the batch
// norm that dy still has to pass, makes z again and dz from dy, adds up both weight gradients (each block in its own
// row of partial sums, over the tiles that it takes one after the other), and writes dz. The second goes over tiles of
// the input map: dx is the convolution of dz with the weights turned around, and 0 where the ReLU of x's norm was 0;
// the sums for that norm come with it. At a stride the second kernel is the plain conv2d_backward_input. Checked in
// test/kernels/igc-block.test.ts.
#include <algorithm>

#include "core/igc_block.h"
#include "cuda/four.h"
#include "cuda/igc_tile.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

constexpr int64_t kMaxRows = 256;                   // of partial sums of the weights, so of blocks
constexpr int64_t kMaxPartials = int64_t{8} << 20;  // floats

template <class T>
struct BackwardWeight {
  IgcPlan plan;
  const T *dy, *x;
  const float *primary, *mix_back;
  NormGradientView<T> dy_norm;
  NormView x_norm;
  bool needs_primary, needs_secondary;
  T* dz;           // null: not wanted
  float* partial;  // [blocks][primary_dw, secondary_dw]
  int64_t primary_count, secondary_count;
};

// dy behind its norm, 0 outside of the map.
template <class T>
__device__ void load_gradient(const BackwardWeight<T>& b, const TilePlace& at, float* out) {
  const TileConv& t = b.plan.forward;
  const int count = t.tile_h * kRun * t.K;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    const int pixel = i / t.K, k = i - pixel * t.K, row = pixel / kRun, column = pixel % kRun;
    float value = 0;
    if (row < at.rows && column < at.columns) {
      const int64_t place = ((at.n * t.P + at.row + row) * t.Q + at.column + column) * t.K + k;
      value = through_norm(b.dy_norm, read(b.dy + place), place, k);
    }
    out[pixel * (t.K + 1) + k] = value;
  }
}

__device__ void add_partial(float* place, bool first, float value) { *place = first ? value : *place + value; }

// secondary_dw[m*L + to, from] += sum over pixels of dy[to*M + m] * z[from*M + m]. A task is four `to`, four `from`,
// one m.
__device__ void add_secondary(const IgcPlan& plan, const TilePlace& at, const float* dy, const float* z, float* partial,
                              bool first) {
  const auto [L, M, padded_L] = plan.mixing;
  const int quads = padded_L / 4, stride = L * M + 1, tasks = quads * quads * M;
  for (int task = static_cast<int>(threadIdx.x); task < tasks; task += static_cast<int>(blockDim.x)) {
    const int from = task % quads * 4, to = task / quads % quads * 4, m = task / quads / quads;
    float acc[4][4] = {};
#pragma unroll 1
    for (int row = 0; row < at.rows; ++row) {
      for (int p = 0; p < at.columns; ++p) {
        const int pixel = (row * kRun + p) * stride + m;
        float u[4], v[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          u[i] = dy[pixel + (to + i < L ? to + i : L - 1) * M];
          v[i] = z[pixel + (from + i < L ? from + i : L - 1) * M];
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
          for (int j = 0; j < 4; ++j) acc[i][j] += u[i] * v[j];
        }
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (to + i < L && from + j < L) {
          add_partial(partial + (m * L + to + i) * static_cast<int64_t>(L) + from + j, first, acc[i][j]);
        }
      }
    }
  }
}

// primary_dw[k, r, s, c] += sum over pixels of dz[p, q, k] * x[p*stride + r, q*stride + s, c]. A task is V channels k,
// V channels c, one row r of the kernel, and three taps s of it (kSliding) or one.
template <int V, bool kSliding>
__device__ void add_primary(const IgcPlan& plan, const TilePlace& at, const float* dz, const float* in, float* partial,
                            bool first) {
  constexpr int kTaps = kSliding ? 3 : 1;
  const TileConv& t = plan.forward;
  const int units = t.K / V, c_vectors = t.in_group / V, tap_groups = t.R * t.S / kTaps;
  const int tasks = units * c_vectors * tap_groups;
  for (int task = static_cast<int>(threadIdx.x); task < tasks; task += static_cast<int>(blockDim.x)) {
    const int k0 = task % units * V, c0 = task / units % c_vectors * V, tap = task / units / c_vectors * kTaps;
    const int r = tap / t.S, s = tap - r * t.S;
    const float* cells = in + k0 / t.out_group * t.in_group + c0;
    float acc[kTaps][V][V] = {};
#pragma unroll 1
    for (int row = 0; row < at.rows; ++row) {
      const float* line = cells + ((row * t.stride + r) * t.in_w + s) * t.C;
      const float* gradient = dz + row * kRun * (t.K + 1) + k0;
      Lanes<V> window[kRun + kTaps - 1];
#pragma unroll
      for (int i = 0; i < kRun + kTaps - 1; ++i) window[i] = load<V>(line + i * t.stride * t.C);
#pragma unroll
      for (int p = 0; p < kRun; ++p) {
        if (p >= at.columns) break;
#pragma unroll
        for (int k = 0; k < V; ++k) {
          const float d = gradient[p * (t.K + 1) + k];
#pragma unroll
          for (int i = 0; i < kTaps; ++i) {
#pragma unroll
            for (int c = 0; c < V; ++c) acc[i][k][c] += d * window[p + i].at[c];
          }
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kTaps; ++i) {
#pragma unroll
      for (int k = 0; k < V; ++k) {
#pragma unroll
        for (int c = 0; c < V; ++c) {
          const int64_t row = (static_cast<int64_t>(k0 + k) * t.R + r) * t.S + s + i;
          add_partial(partial + row * t.in_group + c0 + c, first, acc[i][k][c]);
        }
      }
    }
  }
}

template <class T, int V, bool kSliding>
__global__ void __launch_bounds__(kThreads) igc_backward_weight_kernel(BackwardWeight<T> b) {
  const TileConv& t = b.plan.forward;
  float* dy = dynamic_shared<float>();
  float* z = dy + t.out_floats(t.K);  // and then dz
  float* in = z + t.out_floats(t.K);
  float* partial = b.partial + blockIdx.x * (b.primary_count + b.secondary_count);
  for (int64_t tile = blockIdx.x; tile < t.tiles; tile += gridDim.x) {
    const bool first = tile == static_cast<int64_t>(blockIdx.x);
    const TilePlace at = tile_place(t, tile);
    load_gradient(b, at, dy);
    if (b.needs_primary || b.needs_secondary) load_input(t, at, b.x, b.x_norm, in);
    __syncthreads();
    if (b.needs_secondary) {
      conv_tile<V, kSliding>(t, in, b.primary, z);
      __syncthreads();
      add_secondary(b.plan, at, dy, z, partial + b.primary_count, first);
      __syncthreads();
    }
    if (b.needs_primary || b.dz != nullptr) {
      mix_tile(b.plan.mixing, t.tile_h, b.mix_back, dy, z);
      __syncthreads();
      if (b.needs_primary) add_primary<V, kSliding>(b.plan, at, z, in, partial, first);
      const int count = b.dz == nullptr ? 0 : at.rows * kRun * t.K;
      for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
        const int pixel = i / t.K, k = i - pixel * t.K, row = pixel / kRun, column = pixel % kRun;
        if (column >= at.columns) continue;
        write(b.dz + ((at.n * t.P + at.row + row) * t.Q + at.column + column) * t.K + k, z[pixel * (t.K + 1) + k]);
      }
    }
    __syncthreads();
  }
}

template <class T>
struct BackwardInput {
  IgcPlan plan;
  const T *dz, *x;
  const float* primary_back;
  NormView x_norm;
  T* dx;
  float* partial;  // [tiles][dgamma, dbeta]; null: not wanted
};

// What x's norm needs of the tile: sums of dx * (x - mean) * inv_std and of dx, a channel a thread.
template <class T>
__device__ void tile_norm_sums(const BackwardInput<T>& b, const TilePlace& at, int64_t tile, const float* out) {
  const TileConv& t = b.plan.back;
  for (int c = static_cast<int>(threadIdx.x); c < t.K; c += static_cast<int>(blockDim.x)) {
    float gamma_sum = 0, beta_sum = 0;
    for (int row = 0; row < at.rows; ++row) {
      for (int p = 0; p < at.columns; ++p) {
        const float x = read(b.x + ((at.n * t.P + at.row + row) * t.Q + at.column + p) * t.K + c);
        const float dv = out[(row * kRun + p) * (t.K + 1) + c];
        gamma_sum += dv * standardised(b.x_norm, x, c);
        beta_sum += dv;
      }
    }
    b.partial[tile * 2 * t.K + c] = gamma_sum;
    b.partial[tile * 2 * t.K + t.K + c] = beta_sum;
  }
}

// In the letters of TileConv the output [P, Q, K] is dx [H, W, C].
template <class T, int V, bool kSliding>
__global__ void __launch_bounds__(kThreads) igc_backward_input_kernel(BackwardInput<T> b) {
  const TileConv& t = b.plan.back;
  float* out = dynamic_shared<float>();
  float* in = out + t.out_floats(t.K);
  const int64_t tile = blockIdx.x;
  const TilePlace at = tile_place(t, tile);
  load_input(t, at, b.dz, NormView{}, in);
  __syncthreads();
  conv_tile<V, kSliding>(t, in, b.primary_back, out);
  __syncthreads();
  const int count = at.rows * kRun * t.K;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    const int pixel = i / t.K, c = i - pixel * t.K, row = pixel / kRun, column = pixel % kRun;
    if (column >= at.columns) continue;
    const int64_t place = ((at.n * t.P + at.row + row) * t.Q + at.column + column) * t.K + c;
    float& value = out[pixel * (t.K + 1) + c];
    if (b.x_norm.relu) value = behind_relu(b.x_norm, value, read(b.x + place), c);
    const T stored = stored_as<T>(value);
    b.dx[place] = stored;
    value = value_of(stored);  // the sums are those of dx
  }
  if (b.partial == nullptr) return;
  __syncthreads();
  tile_norm_sums(b, at, tile, out);
}

struct ReluMask {
  NormView norm;
  int C;
  __device__ float operator()(float dx, float x, int64_t i) const {
    return behind_relu(norm, dx, x, remainder_of(i, C));
  }
};

}  // namespace

void SimtBackend::igc_block_backward(const IgcBlockParams& p, const Input& dy, const NormGradient* dy_norm,
                                     const Input& x, const Norm* x_norm, const Input& primary_weight,
                                     const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                     const Output& secondary_dw, const NormWeights* x_norm_gradients, const Input*) {
  const Conv2dSizes sizes = igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  const auto composed = [&] {
    igc_block_composed_backward(*this, between_, p, dy, dy_norm, x, x_norm, primary_weight, secondary_weight, dx,
                                primary_dw, secondary_dw, x_norm_gradients);
  };
  IgcPlan plan;
  if (!plans_fused(p, sizes, plan)) return composed();
  const auto fused = [&] {
    const PackedWeights packed = pack_weights(stream(), plan, primary_weight.as<float>(), secondary_weight.as<float>(),
                                              packed_.floats(packed_floats(plan)));
    const int64_t weights = primary_weight.elements() + secondary_weight.elements();
    const int64_t blocks = std::min({plan.forward.tiles, kMaxRows, std::max<int64_t>(1, kMaxPartials / weights)});
    const Output dz = dz_.tensor(dy.shape, dy.dtype);
    float* weight_partial = partial_.floats(static_cast<size_t>(blocks * weights));
    dispatch_map(x.dtype, [&]<class T>() {
      const BackwardWeight<T> weight = {plan,
                                        dy.as<T>(),
                                        x.as<T>(),
                                        packed.primary,
                                        packed.mix_back,
                                        gradient_view_of<T>(dy_norm),
                                        view_of(x_norm),
                                        primary_dw.data != nullptr,
                                        secondary_dw.data != nullptr,
                                        dx.data == nullptr ? nullptr : dz.as<T>(),
                                        weight_partial,
                                        primary_weight.elements(),
                                        secondary_weight.elements()};
      with_vector(plan, [&]<int V, bool kSliding>() {
        launch(cooperative(blocks, kThreads, plan.backward_weight_bytes()), stream(),
               igc_backward_weight_kernel<T, V, kSliding>, weight);
      });
    });
    if (primary_dw.data != nullptr || secondary_dw.data != nullptr) {
      sum_partials(stream(), weight_partial, blocks, weights,
                   {primary_dw.as<float>(), primary_weight.elements(), secondary_dw.as<float>()});
    }
    if (dx.data == nullptr) return;
    const bool sums = x_norm != nullptr && x_norm_gradients != nullptr;
    if (p.stride != 1) {
      conv2d_backward_input({p.stride, p.padding, p.primary_partitions}, dz, primary_weight, dx);
      if (x_norm != nullptr && x_norm->relu) {
        map2(stream(), dx, x, dx, ReluMask{view_of(x_norm), plan.forward.C});
      }
      if (sums) batch_norm2d_backward_weight(dx, x, *x_norm, *x_norm_gradients);
      return;
    }
    const int64_t tiles = plan.back.tiles, C = sizes.C;
    float* partial = sums ? partial_.floats(static_cast<size_t>(tiles * 2 * C)) : nullptr;
    dispatch_map(x.dtype, [&]<class T>() {
      const BackwardInput<T> input = {plan,       dz.as<T>(), x.as<T>(), packed.primary_back, view_of(x_norm),
                                      dx.as<T>(), partial};
      with_vector(plan, [&]<int V, bool kSliding>() {
        launch(cooperative(tiles, kThreads, plan.backward_input_bytes()), stream(),
               igc_backward_input_kernel<T, V, kSliding>, input);
      });
    });
    if (!sums) return;
    sum_partials(stream(), partial, tiles, 2 * C,
                 {x_norm_gradients->dgamma.as<float>(), C, x_norm_gradients->dbeta.as<float>()});
  };
  Tuning::Key key = tuning_key(p, sizes, x.dtype);
  const bool needs_dx = dx.data != nullptr, needs_primary = primary_dw.data != nullptr;
  key.insert(key.end(), {1, x_norm != nullptr, dy_norm != nullptr, needs_dx, needs_primary,
                         secondary_dw.data != nullptr, x_norm_gradients != nullptr});
  run_igc_block(key, fused, composed);
}

}  // namespace igcnet::simt
