// batch_norm2d over the rows [N*H*W, C] of x: the formulas of core/batch_norm2d.h and core/backend.h, the variance in
// a second pass over x - mean. Checked against PyTorch (test/golden) and finite differences (test/gradcheck).
#include "core/batch_norm2d.h"

#include <cmath>
#include <limits>

#include "core/dispatch.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

// The normalised value of x(row, c), before the ReLU.
template <class T>
T normalised(const Norm& norm, T x, int64_t c) {
  return (x - norm.mean.as<T>()[c]) * norm.inv_std.as<T>()[c] * norm.gamma.as<T>()[c] + norm.beta.as<T>()[c];
}

// dy behind the ReLU of the norm.
template <class T>
T behind_relu(const Norm& norm, T dy, T x, int64_t c) {
  return !norm.relu || normalised(norm, x, c) > 0 ? dy : 0;
}

}  // namespace

void ReferenceBackend::batch_norm2d_statistics(const Input& x, const BatchStatistics& statistics) {
  dispatch_floating(x.dtype, [&]<class T>() {
    const auto input = array2<T>(x);
    const int64_t rows = rows_of(x.shape), C = statistics.mean.elements();
    for (int64_t c = 0; c < C; ++c) {
      T sum = 0, squares = 0;
      for (int64_t row = 0; row < rows; ++row) sum += input(row, c);
      const T mean = sum / static_cast<T>(rows);  // 0 / 0 of an empty batch is NaN
      for (int64_t row = 0; row < rows; ++row) squares += (input(row, c) - mean) * (input(row, c) - mean);
      statistics.mean.as<T>()[c] = mean;
      statistics.var.as<T>()[c] = squares / static_cast<T>(rows);
    }
  });
}

void ReferenceBackend::batch_norm2d_prepare(const BatchNorm2dParams& p, const Input& statistics, const Input& gamma,
                                            const Input& beta, const Output& running_mean, const Output& running_var,
                                            const Output& norm) {
  dispatch_floating(gamma.dtype, [&]<class T>() {
    const int64_t C = gamma.elements();
    const T old_share = static_cast<T>(p.momentum), new_share = static_cast<T>(1 - p.momentum);
    T* row = norm.as<T>();
    for (int64_t c = 0; c < C; ++c) {
      T &moving_mean = running_mean.as<T>()[c], &moving_var = running_var.as<T>()[c];
      T mean = moving_mean, var = moving_var;
      if (p.training) {
        mean = statistics.as<T>()[c];
        var = statistics.as<T>()[C + c];
        moving_mean = old_share * moving_mean + new_share * mean;
        moving_var = old_share * moving_var + new_share * var;
      }
      row[c] = mean;
      row[C + c] = 1 / std::sqrt(var + static_cast<T>(p.epsilon));
      row[2 * C + c] = gamma.as<T>()[c];
      row[3 * C + c] = beta.as<T>()[c];
    }
  });
}

void ReferenceBackend::batch_norm2d_apply(const Input& x, const Norm& norm, const Output& y) {
  dispatch_floating(x.dtype, [&]<class T>() {
    const auto input = array2<T>(x);
    const auto output = array2<T>(y);
    const int64_t rows = rows_of(x.shape), C = norm.mean.elements();
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < C; ++c) {
        const T value = normalised(norm, input(row, c), c);
        output(row, c) = norm.relu && value <= 0 ? 0 : value;
      }
    }
  });
}

void ReferenceBackend::batch_norm2d_backward_weight(const Input& dy, const Input& x, const Norm& norm,
                                                    const NormWeights& gradients) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto input = array2<T>(x), output_gradient = array2<T>(dy);
    const int64_t rows = rows_of(x.shape), C = norm.mean.elements();
    for (int64_t c = 0; c < C; ++c) {
      T gamma_sum = 0, beta_sum = 0;
      for (int64_t row = 0; row < rows; ++row) {
        const T dv = behind_relu(norm, output_gradient(row, c), input(row, c), c);
        gamma_sum += dv * (input(row, c) - norm.mean.as<T>()[c]) * norm.inv_std.as<T>()[c];
        beta_sum += dv;
      }
      gradients.dgamma.as<T>()[c] = gamma_sum;
      gradients.dbeta.as<T>()[c] = beta_sum;
    }
  });
}

void ReferenceBackend::batch_norm2d_backward_input(const Input& dy, const NormGradient& gradient, const Output& dx) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto input = array2<T>(gradient.x), output_gradient = array2<T>(dy);
    const auto input_gradient = array2<T>(dx);
    const Norm& norm = gradient.norm;
    const int64_t rows = rows_of(dy.shape), C = norm.mean.elements();
    const T count = static_cast<T>(rows);  // the loop over rows is empty when it is 0
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < C; ++c) {
        const T scale = norm.gamma.as<T>()[c] * norm.inv_std.as<T>()[c];
        const T dv = behind_relu(norm, output_gradient(row, c), input(row, c), c);
        if (gradient.training) {
          const T standardised = (input(row, c) - norm.mean.as<T>()[c]) * norm.inv_std.as<T>()[c];
          const T through_statistics = (gradient.dbeta.as<T>()[c] + standardised * gradient.dgamma.as<T>()[c]) / count;
          input_gradient(row, c) = scale * (dv - through_statistics);
        } else {
          input_gradient(row, c) = scale * dv;
        }
      }
    }
  });
}

}  // namespace igcnet
