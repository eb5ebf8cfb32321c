// A batch norm as kernels see it (core/batch_norm2d.h): pointers to [C] each. The value and the gradient of the norm
// stand here once, in arithmetic that no compiler fuses otherwise in one kernel than in the next, so that forward and
// backward agree on the sign of a value to the last bit. Checked in test/kernels/batch-norm2d.test.ts.
#pragma once

#include "core/batch_norm2d.h"
#include "cuda/map_value.h"
#include "cuda/simt.h"

namespace igcnet::simt {

struct NormView {
  const float *mean = nullptr, *inv_std = nullptr, *gamma = nullptr, *beta = nullptr;
  bool relu = false;

  __device__ bool present() const { return mean != nullptr; }
};

// Null: no norm.
inline NormView view_of(const Norm* norm) {
  if (norm == nullptr) return {};
  return {norm->mean.as<float>(), norm->inv_std.as<float>(), norm->gamma.as<float>(), norm->beta.as<float>(),
          norm->relu};
}

__device__ inline float standardised(float x, float mean, float inv_std) {
  return __fmul_rn(__fsub_rn(x, mean), inv_std);
}
__device__ inline float standardised(const NormView& norm, float x, int c) {
  return standardised(x, __ldg(norm.mean + c), __ldg(norm.inv_std + c));
}

// The normalised value before the ReLU.
__device__ inline float before_relu(float standard, float gamma, float beta) { return fmaf(standard, gamma, beta); }
__device__ inline float before_relu(const NormView& norm, float x, int c) {
  return before_relu(standardised(norm, x, c), __ldg(norm.gamma + c), __ldg(norm.beta + c));
}

__device__ inline float relu_of(float value) { return value <= 0.0F ? 0.0F : value; }  // keeps NaN

// norm(x), with its ReLU; x itself without a norm.
__device__ inline float applied(const NormView& norm, float x, int c) {
  if (!norm.present()) return x;
  const float value = before_relu(norm, x, c);
  return norm.relu ? relu_of(value) : value;
}

// dy behind the ReLU of the norm.
__device__ inline float behind_relu(const NormView& norm, float dy, float x, int c) {
  return !norm.relu || before_relu(norm, x, c) > 0.0F ? dy : 0.0F;
}

// A gradient that passes a norm on its way: dx of batch_norm2d_backward_input. x null: there is none, dx = dy.
template <class T>
struct NormGradientView {
  const T* x = nullptr;
  const float *dgamma = nullptr, *dbeta = nullptr;
  NormView norm;
  bool training = false;
  float count = 1;  // elements / C

  __device__ bool present() const { return x != nullptr; }
};

template <class T>
NormGradientView<T> gradient_view_of(const NormGradient* gradient) {
  if (gradient == nullptr) return {};
  const int64_t C = gradient->norm.mean.elements(), elements = gradient->x.elements();
  const float count = C == 0 ? 1.0F : static_cast<float>(elements / C);
  return {gradient->x.as<T>(),      gradient->dgamma.as<float>(), gradient->dbeta.as<float>(),
          view_of(&gradient->norm), gradient->training,           count};
}

// Element i of the true gradient, of channel c.
template <class T>
__device__ float through_norm(const NormGradientView<T>& g, float dy, int64_t i, int c) {
  if (!g.present()) return dy;
  const float x = read(g.x + i), scale = __ldg(g.norm.gamma + c) * __ldg(g.norm.inv_std + c);
  const float dv = behind_relu(g.norm, dy, x, c);
  if (!g.training) return scale * dv;
  const float through_statistics = (__ldg(g.dbeta + c) + standardised(g.norm, x, c) * __ldg(g.dgamma + c)) / g.count;
  return scale * (dv - through_statistics);
}

}  // namespace igcnet::simt
