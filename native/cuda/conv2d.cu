// conv2d of any geometry (core/conv2d.h), directly from the formula: the fallback for what cuDNN refuses. Forward and
// backward by input a thread makes one element of the result; backward by weight a thread adds one element of dw over a
// chunk of output rows, and the chunks are added in order. Neighbouring threads have neighbouring channels, so that
// they read and write neighbouring memory. Checked in test/kernels/conv2d.test.ts.
#include <algorithm>

#include "core/conv2d.h"
#include "core/conv2d_composed.h"
#include "cuda/four.h"
#include "cuda/partials.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

constexpr int64_t kMaxChunks = 256;                        // of output rows in a weight gradient
constexpr int64_t kMaxPartialElements = int64_t{1} << 22;  // 16 MiB of partial sums

// Sizes as kernels like them. One image, one weight and one output row have less than 2^31 elements each.
struct Sizes {
  int64_t N;
  int H, W, C, K, R, S, P, Q, stride, padding;
  int in_group, out_group;  // channels of a group: C/G, K/G
};

Sizes sizes_of(const Conv2dSizes& z) {
  const auto narrow = [](int64_t value) { return static_cast<int>(value); };
  return {
      z.N,         narrow(z.H), narrow(z.W),      narrow(z.C),       narrow(z.K),       narrow(z.R),      narrow(z.S),
      narrow(z.P), narrow(z.Q), narrow(z.stride), narrow(z.padding), narrow(z.C / z.G), narrow(z.K / z.G)};
}

template <class T>
__global__ void conv2d_forward_kernel(Sizes z, const T* x, const float* w, T* y) {
  const int64_t i = global_thread();
  if (i >= z.N * z.P * z.Q * z.K) return;
  const int k = remainder_of(i, z.K);
  const int64_t pixel = i / z.K;
  const int q = remainder_of(pixel, z.Q), p = remainder_of(pixel / z.Q, z.P);
  const int64_t n = pixel / z.Q / z.P;
  const int first_c = k / z.out_group * z.in_group;
  float sum = 0;
  for (int r = 0; r < z.R; ++r) {
    const int64_t h = static_cast<int64_t>(p) * z.stride + r - z.padding;
    if (h < 0 || h >= z.H) continue;
    for (int s = 0; s < z.S; ++s) {
      const int64_t at = static_cast<int64_t>(q) * z.stride + s - z.padding;
      if (at < 0 || at >= z.W) continue;
      const T* x_pixel = x + ((n * z.H + h) * z.W + at) * z.C + first_c;
      const float* w_tap = w + ((static_cast<int64_t>(k) * z.R + r) * z.S + s) * z.in_group;
      for (int c = 0; c < z.in_group; ++c) sum += read(x_pixel + c) * __ldg(w_tap + c);
    }
  }
  write(y + i, sum);
}

// x[h] meets the weight row r at the output row p with p * stride + r - padding = h.
template <class T>
__global__ void conv2d_backward_input_kernel(Sizes z, const T* dy, const float* w, T* dx) {
  const int64_t i = global_thread();
  if (i >= z.N * z.H * z.W * z.C) return;
  const int c = remainder_of(i, z.C);
  const int64_t pixel = i / z.C;
  const int at = remainder_of(pixel, z.W), h = remainder_of(pixel / z.W, z.H);
  const int64_t n = pixel / z.W / z.H;
  const int g = c / z.in_group, c_in_group = c - g * z.in_group;
  float sum = 0;
  for (int r = 0; r < z.R; ++r) {
    const int64_t down = static_cast<int64_t>(h) + z.padding - r, p = down / z.stride;
    if (down < 0 || p * z.stride != down || p >= z.P) continue;
    for (int s = 0; s < z.S; ++s) {
      const int64_t right = static_cast<int64_t>(at) + z.padding - s, q = right / z.stride;
      if (right < 0 || q * z.stride != right || q >= z.Q) continue;
      const T* dy_pixel = dy + ((n * z.P + p) * z.Q + q) * z.K + g * z.out_group;
      for (int k = 0; k < z.out_group; ++k) {
        const int64_t row = static_cast<int64_t>(g) * z.out_group + k;
        sum += read(dy_pixel + k) * __ldg(w + ((row * z.R + r) * z.S + s) * z.in_group + c_in_group);
      }
    }
  }
  write(dx + i, sum);
}

// partial[chunk][k, r, s, c]: the sum over the chunk's output rows (n, p).
template <class T>
__global__ void conv2d_backward_weight_kernel(Sizes z, int64_t chunks, const T* dy, const T* x, float* partial) {
  const int64_t i = global_thread(), taps = static_cast<int64_t>(z.R) * z.S;
  const int64_t elements = z.K * taps * z.in_group;
  if (i >= elements * chunks) return;
  const int64_t chunk = i / elements, element = i - chunk * elements;
  const int c = remainder_of(element, z.in_group), s = remainder_of(element / z.in_group, z.S),
            r = remainder_of(element / z.in_group / z.S, z.R);
  const int64_t k = element / z.in_group / taps, channel = k / z.out_group * z.in_group + c;
  const int64_t rows = z.N * z.P, end = (chunk + 1) * rows / chunks;
  float sum = 0;
  for (int64_t row = chunk * rows / chunks; row < end; ++row) {
    const int64_t n = row / z.P, h = (row - n * z.P) * z.stride + r - z.padding;
    if (h < 0 || h >= z.H) continue;
    const T* x_row = x + (n * z.H + h) * z.W * z.C + channel;
    const T* dy_row = dy + row * z.Q * z.K + k;
    for (int64_t q = 0; q < z.Q; ++q) {
      const int64_t at = q * z.stride + s - z.padding;
      if (at >= 0 && at < z.W) sum += read(dy_row + q * z.K) * read(x_row + at * z.C);
    }
  }
  partial[i] = sum;
}

}  // namespace

void SimtBackend::conv2d_forward(const Conv2dParams& p, const Input& x, const Input& w, const Output& y) {
  const Sizes z = sizes_of(conv2d_sizes("conv2d", p, x.shape, w.shape));
  dispatch_map(y.dtype, [&]<class T>() {
    launch(independent(y.elements()), stream(), conv2d_forward_kernel<T>, z, x.as<T>(), w.as<float>(), y.as<T>());
  });
}

void SimtBackend::conv2d_backward_input(const Conv2dParams& p, const Input& dy, const Input& w, const Output& dx) {
  const Sizes z = sizes_of(conv2d_sizes("conv2d", p, dx.shape, w.shape));
  dispatch_map(dx.dtype, [&]<class T>() {
    launch(independent(dx.elements()), stream(), conv2d_backward_input_kernel<T>, z, dy.as<T>(), w.as<float>(),
           dx.as<T>());
  });
}

void SimtBackend::conv2d_backward_weight(const Conv2dParams& p, const Input& dy, const Input& x, const Output& dw) {
  const Sizes z = sizes_of(conv2d_sizes("conv2d", p, x.shape, dw.shape));
  const int64_t elements = dw.elements(), rows = z.N * z.P;
  const int64_t chunks = std::min({kMaxChunks, rows, std::max<int64_t>(1, kMaxPartialElements / elements)});
  float* partial = partial_.floats(static_cast<size_t>(chunks * elements));
  dispatch_map(x.dtype, [&]<class T>() {
    launch(independent(chunks * elements), stream(), conv2d_backward_weight_kernel<T>, z, chunks, dy.as<T>(), x.as<T>(),
           partial);
  });
  sum_partials(stream(), partial, chunks, elements, {dw.as<float>(), elements});
}

// cuDNN's convolutions take no norms, so nothing is spared: conv2d_fuses() says so.
void SimtBackend::conv2d_fused_forward(const Conv2dParams& p, const Input& x, const Norm* x_norm, const Input& w,
                                       const Output& y, const BatchStatistics* y_statistics) {
  conv2d_composed_forward(*this, between_, p, x, x_norm, w, y, y_statistics);
}

void SimtBackend::conv2d_fused_backward(const Conv2dParams& p, const Input& dy, const NormGradient* dy_norm,
                                        const Input& x, const Norm* x_norm, const Input& w, const Output& dx,
                                        const Output& dw, const NormWeights* x_norm_gradients) {
  conv2d_composed_backward(*this, between_, p, dy, dy_norm, x, x_norm, w, dx, dw, x_norm_gradients);
}

}  // namespace igcnet::simt
