// batch_norm2d over the rows [N*H*W, C] of x: the formulas of core/batch_norm2d.h and core/backend.h, the variance in
// a second pass over x - mean. An empty batch in training has no statistics: mean and inv_std become NaN and the
// running statistics stay as they were. Checked against PyTorch (test/golden) and finite differences (test/gradcheck).
#include "core/batch_norm2d.h"

#include <cmath>
#include <limits>

#include "core/dispatch.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

template <class T>
struct Statistics {
  T mean, var;
};

// Of channel c over rows > 0.
template <class T>
Statistics<T> batch_statistics(const Array2<const T>& x, int64_t rows, int64_t c) {
  T sum = 0;
  for (int64_t row = 0; row < rows; ++row) sum += x(row, c);
  const T mean = sum / static_cast<T>(rows);
  T squares = 0;
  for (int64_t row = 0; row < rows; ++row) squares += (x(row, c) - mean) * (x(row, c) - mean);
  return {mean, squares / static_cast<T>(rows)};
}

}  // namespace

void ReferenceBackend::batch_norm2d_forward(const BatchNorm2dParams& p, const Input& x, const Input& gamma,
                                            const Input& beta, const Output& running_mean, const Output& running_var,
                                            const Output& y, const Output& mean, const Output& inv_std) {
  dispatch_floating(x.dtype, [&]<class T>() {
    const auto input = array2<T>(x);
    const auto output = array2<T>(y);
    const int64_t rows = rows_of(x.shape), C = gamma.elements();
    const T old_share = static_cast<T>(p.momentum), new_share = static_cast<T>(1 - p.momentum);
    for (int64_t c = 0; c < C; ++c) {
      T &moving_mean = running_mean.as<T>()[c], &moving_var = running_var.as<T>()[c];
      Statistics<T> used = {moving_mean, moving_var};
      if (p.training && rows == 0) {
        used = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::quiet_NaN()};
      } else if (p.training) {
        used = batch_statistics(input, rows, c);
        moving_mean = old_share * moving_mean + new_share * used.mean;
        moving_var = old_share * moving_var + new_share * used.var;
      }
      const T scale = 1 / std::sqrt(used.var + static_cast<T>(p.epsilon));
      for (int64_t row = 0; row < rows; ++row) {
        output(row, c) = (input(row, c) - used.mean) * scale * gamma.as<T>()[c] + beta.as<T>()[c];
      }
      mean.as<T>()[c] = used.mean;
      inv_std.as<T>()[c] = scale;
    }
  });
}

void ReferenceBackend::batch_norm2d_backward_weight(const Input& dy, const Input& x, const Input& mean,
                                                    const Input& inv_std, const Output& dgamma, const Output& dbeta) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto input = array2<T>(x), output_gradient = array2<T>(dy);
    const int64_t rows = rows_of(x.shape), C = mean.elements();
    for (int64_t c = 0; c < C; ++c) {
      T gamma_sum = 0, beta_sum = 0;
      for (int64_t row = 0; row < rows; ++row) {
        gamma_sum += output_gradient(row, c) * (input(row, c) - mean.as<T>()[c]) * inv_std.as<T>()[c];
        beta_sum += output_gradient(row, c);
      }
      dgamma.as<T>()[c] = gamma_sum;
      dbeta.as<T>()[c] = beta_sum;
    }
  });
}

void ReferenceBackend::batch_norm2d_backward_input(const BatchNorm2dParams& p, const Input& dy, const Input& x,
                                                   const Input& gamma, const Input& mean, const Input& inv_std,
                                                   const Input& dgamma, const Input& dbeta, const Output& dx) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto input = array2<T>(x), output_gradient = array2<T>(dy);
    const auto input_gradient = array2<T>(dx);
    const int64_t rows = rows_of(x.shape), C = gamma.elements();
    const T count = static_cast<T>(rows);  // the loop over rows is empty when it is 0
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < C; ++c) {
        const T scale = gamma.as<T>()[c] * inv_std.as<T>()[c];
        if (p.training) {
          const T normalised = (input(row, c) - mean.as<T>()[c]) * inv_std.as<T>()[c];
          const T through_statistics = (dbeta.as<T>()[c] + normalised * dgamma.as<T>()[c]) / count;
          input_gradient(row, c) = scale * (output_gradient(row, c) - through_statistics);
        } else {
          input_gradient(row, c) = scale * output_gradient(row, c);
        }
      }
    }
  });
}

}  // namespace igcnet
