// batch_norm2d, step by step (core/batch_norm2d.h, core/backend.h). Sums over rows: a block takes a chunk of rows and
// 32 channels, a thread every eighth row of one channel, so that the 32 lanes of a warp read 128 bytes of a row; the
// chunks are added by partials.h. The variance of a chunk is taken around the chunk's own mean, in a second look at the
// rows, so nothing cancels. Checked in test/kernels/batch-norm2d.test.ts.
#include <algorithm>

#include "core/batch_norm2d.h"
#include "cuda/four.h"
#include "cuda/norm_view.h"
#include "cuda/partials.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

constexpr int kLanes = 32, kSlices = 8;
constexpr int64_t kChunkRows = 256, kMaxChunks = 1024;

struct Chunks {
  int64_t rows, count, chunk_rows;
  int C, column_blocks;
};

Chunks chunks_of(const Input& x, int64_t C) {
  const int64_t rows = C == 0 ? 0 : x.elements() / C;
  const int64_t chunk_rows = std::max(kChunkRows, (rows + kMaxChunks - 1) / kMaxChunks);
  return {rows, (rows + chunk_rows - 1) / chunk_rows, chunk_rows, static_cast<int>(C),
          static_cast<int>((C + kLanes - 1) / kLanes)};
}

Launch over(const Chunks& chunks, int sums) {
  const size_t shared_bytes = sizeof(float) * kLanes * kSlices * static_cast<size_t>(sums);
  return cooperative(chunks.count * chunks.column_blocks, kLanes * kSlices, shared_bytes);
}

// What a thread works on.
struct Place {
  int64_t chunk, first, end;  // rows first, first + kSlices, ... < end
  int c, lane, slice;
};
__device__ Place place_of(const Chunks& chunks) {
  const int lane = static_cast<int>(threadIdx.x) % kLanes, slice = static_cast<int>(threadIdx.x) / kLanes;
  const int64_t chunk = blockIdx.x / static_cast<unsigned>(chunks.column_blocks), start = chunk * chunks.chunk_rows;
  const int column = static_cast<int>(blockIdx.x % static_cast<unsigned>(chunks.column_blocks));
  const int64_t end = start + chunks.chunk_rows < chunks.rows ? start + chunks.chunk_rows : chunks.rows;
  return {chunk, start + slice, end, column * kLanes + lane, lane, slice};
}

// The slices of one channel added in order. All threads of the block call it.
__device__ float sum_of_slices(float* shared, const Place& at, float value) {
  shared[at.slice * kLanes + at.lane] = value;
  __syncthreads();
  float sum = 0;
  for (int s = 0; s < kSlices; ++s) sum += shared[s * kLanes + at.lane];
  __syncthreads();
  return sum;
}

template <class T>
__global__ void batch_norm2d_statistics_kernel(Chunks chunks, const T* x, Moments moments) {
  float* shared = dynamic_shared<float>();
  const Place at = place_of(chunks);
  const bool inside = at.c < chunks.C;
  float sum = 0, squares = 0;
  if (inside) {
    for (int64_t row = at.first; row < at.end; row += kSlices) sum += read(x + row * chunks.C + at.c);
  }
  const float count = static_cast<float>(at.end - (at.first - at.slice));
  const float mean = sum_of_slices(shared, at, sum) / count;
  if (inside) {
    for (int64_t row = at.first; row < at.end; row += kSlices) {
      const float distance = read(x + row * chunks.C + at.c) - mean;
      squares += distance * distance;
    }
  }
  squares = sum_of_slices(shared, at, squares);
  if (!inside || at.slice != 0) return;
  float* row = moments.values + at.chunk * 2 * chunks.C;
  row[at.c] = mean;
  row[chunks.C + at.c] = squares;
  if (at.c == 0) moments.counts[at.chunk] = count;
}

// partial[chunk] = [dgamma, dbeta], [2][C].
template <class T>
__global__ void batch_norm2d_backward_weight_kernel(Chunks chunks, const T* dy, const T* x, NormView norm,
                                                    float* partial) {
  float* shared = dynamic_shared<float>();
  const Place at = place_of(chunks);
  const bool inside = at.c < chunks.C;
  float gamma_sum = 0, beta_sum = 0;
  if (inside) {
    for (int64_t row = at.first; row < at.end; row += kSlices) {
      const float value = read(x + row * chunks.C + at.c);
      const float dv = behind_relu(norm, read(dy + row * chunks.C + at.c), value, at.c);
      gamma_sum += dv * standardised(norm, value, at.c);
      beta_sum += dv;
    }
  }
  gamma_sum = sum_of_slices(shared, at, gamma_sum);
  beta_sum = sum_of_slices(shared, at, beta_sum);
  if (!inside || at.slice != 0) return;
  float* row = partial + at.chunk * 2 * chunks.C;
  row[at.c] = gamma_sum;
  row[chunks.C + at.c] = beta_sum;
}

struct Prepare {
  const float *statistics, *gamma, *beta;
  float *running_mean, *running_var, *norm;
  int C;
  bool training;
  float old_share, new_share, epsilon;
};

__global__ void batch_norm2d_prepare_kernel(Prepare p) {
  begin_early();
  const int c = static_cast<int>(global_thread());
  if (c >= p.C) return;
  float mean = p.running_mean[c], var = p.running_var[c];
  if (p.training) {
    const float old_mean = mean, old_var = var;
    mean = p.statistics[c];
    var = p.statistics[p.C + c];
    p.running_mean[c] = p.old_share * old_mean + p.new_share * mean;
    p.running_var[c] = p.old_share * old_var + p.new_share * var;
  }
  p.norm[c] = mean;
  p.norm[p.C + c] = 1.0F / sqrtf(var + p.epsilon);
  p.norm[2 * p.C + c] = p.gamma[c];
  p.norm[3 * p.C + c] = p.beta[c];
}

struct NormApply {
  NormView norm;
  int C;
  __device__ float operator()(float x, int64_t i) const { return applied(norm, x, remainder_of(i, C)); }
};

template <class T>
struct NormBackwardInput {
  NormGradientView<T> gradient;
  int C;
  __device__ float operator()(float dy, int64_t i) const { return through_norm(gradient, dy, i, remainder_of(i, C)); }
};

}  // namespace

void SimtBackend::batch_norm2d_statistics(const Input& x, const BatchStatistics& statistics) {
  const int64_t C = statistics.mean.elements();
  const Chunks chunks = chunks_of(x, C);
  const Moments moments = moments_of(partial_.floats(moments_floats(chunks.count, C)), chunks.count);
  dispatch_map(x.dtype, [&]<class T>() {
    launch(over(chunks, 1), stream(), batch_norm2d_statistics_kernel<T>, chunks, x.as<T>(), moments);
  });
  merge_moments(stream(), moments, chunks.count, C, statistics.mean.as<float>(), statistics.var.as<float>());
}

void SimtBackend::batch_norm2d_prepare(const BatchNorm2dParams& p, const Input& statistics, const Input& gamma,
                                       const Input& beta, const Output& running_mean, const Output& running_var,
                                       const Output& norm) {
  const int C = static_cast<int>(gamma.elements());
  const Prepare prepare = {statistics.as<float>(),
                           gamma.as<float>(),
                           beta.as<float>(),
                           running_mean.as<float>(),
                           running_var.as<float>(),
                           norm.as<float>(),
                           C,
                           p.training,
                           static_cast<float>(p.momentum),
                           static_cast<float>(1 - p.momentum),
                           static_cast<float>(p.epsilon)};
  launch_early(independent(C), stream(), batch_norm2d_prepare_kernel, prepare);
}

void SimtBackend::batch_norm2d_apply(const Input& x, const Norm& norm, const Output& y) {
  const NormApply apply = {view_of(&norm), static_cast<int>(norm.mean.elements())};
  map(stream(), x, y, apply);
}

void SimtBackend::batch_norm2d_backward_weight(const Input& dy, const Input& x, const Norm& norm,
                                               const NormWeights& gradients) {
  const int64_t C = norm.mean.elements();
  const Chunks chunks = chunks_of(x, C);
  float* partial = partial_.floats(static_cast<size_t>(chunks.count * 2 * C));
  dispatch_map(x.dtype, [&]<class T>() {
    launch(over(chunks, 1), stream(), batch_norm2d_backward_weight_kernel<T>, chunks, dy.as<T>(), x.as<T>(),
           view_of(&norm), partial);
  });
  sum_partials(stream(), partial, chunks.count, 2 * C, {gradients.dgamma.as<float>(), C, gradients.dbeta.as<float>()});
}

void SimtBackend::batch_norm2d_backward_input(const Input& dy, const NormGradient& gradient, const Output& dx) {
  const int C = static_cast<int>(gradient.norm.mean.elements());
  dispatch_map(dx.dtype, [&]<class T>() {
    map(stream(), dy, dx, NormBackwardInput<T>{gradient_view_of<T>(&gradient), C});
  });
}

}  // namespace igcnet::simt
