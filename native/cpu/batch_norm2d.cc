// batch_norm2d over the rows [N*H*W, C] of x. Sums over rows are made in chunks of a fixed size that stay in the L1
// cache, in f32, and the chunks are combined in order in double: exact to a rounding, the same for any number of
// threads, and x is read from memory once for mean and variance (each chunk has its own mean, which is subtracted
// before squaring; the combination is Chan et al. 1983). Checked against `reference`.
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/batch_norm2d.cc"
#include "cpu/simd.h"
#include "cpu/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {

// The sum over rows of term(row), four partial sums at a time.
template <class D, class Term>
HWY_INLINE hn::Vec<D> sum_rows(D d, int64_t rows, const Term& term) {
  auto sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    sum0 = hn::Add(sum0, term(row));
    sum1 = hn::Add(sum1, term(row + 1));
    sum2 = hn::Add(sum2, term(row + 2));
    sum3 = hn::Add(sum3, term(row + 3));
  }
  for (; row < rows; ++row) sum0 = hn::Add(sum0, term(row));
  return hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3));
}

// Of a chunk x [rows, C]: means[c], rounded to f32, and the sums over rows of x - means and of its square. The first
// tells what the rounding left out: with it, means and variances are right for channels far from 0 too.
void StatisticsKernel(const float* x, int64_t rows, int64_t C, float* means, float* residues, float* squares) {
  const float count = static_cast<float>(rows);
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto sum = sum_rows(d, rows, [&](int64_t row) HWY_ATTR { return hn::LoadU(d, x + row * C + c); });
    const auto chunk_mean = hn::Div(sum, hn::Set(d, count));
    const auto centred = [&](int64_t row) HWY_ATTR { return hn::Sub(hn::LoadU(d, x + row * C + c), chunk_mean); };
    hn::StoreU(chunk_mean, d, means + c);
    hn::StoreU(sum_rows(d, rows, centred), d, residues + c);
    const auto square = [&](int64_t row) HWY_ATTR {
      const auto difference = centred(row);
      return hn::Mul(difference, difference);
    };
    hn::StoreU(sum_rows(d, rows, square), d, squares + c);
  });
}

// Of a chunk: sum[c] of dy, and products[c] = sum of dy * (x - mean).
void GradientSumsKernel(const float* dy, const float* x, const float* mean, int64_t rows, int64_t C, float* sum,
                        float* products) {
  for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
    const auto m = hn::LoadU(d, mean + c);
    hn::StoreU(sum_rows(d, rows, [&](int64_t row) HWY_ATTR { return hn::LoadU(d, dy + row * C + c); }), d, sum + c);
    const auto product_sum = sum_rows(d, rows, [&](int64_t row) HWY_ATTR {
      return hn::Mul(hn::LoadU(d, dy + row * C + c), hn::Sub(hn::LoadU(d, x + row * C + c), m));
    });
    hn::StoreU(product_sum, d, products + c);
  });
}

// y = (x - mean) * scale + beta
void NormaliseKernel(const float* x, const float* mean, const float* scale, const float* beta, int64_t rows, int64_t C,
                     float* y) {
  for (int64_t row = 0; row < rows; ++row, x += C, y += C) {
    for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
      const auto centred = hn::Sub(hn::LoadU(d, x + c), hn::LoadU(d, mean + c));
      hn::StoreU(hn::MulAdd(centred, hn::LoadU(d, scale + c), hn::LoadU(d, beta + c)), d, y + c);
    });
  }
}

// dx = scale * (dy - ((x - mean) * slope + offset))
void BackwardInputKernel(const float* dy, const float* x, const float* mean, const float* scale, const float* slope,
                         const float* offset, int64_t rows, int64_t C, float* dx) {
  for (int64_t row = 0; row < rows; ++row, x += C, dy += C, dx += C) {
    for_each_vector(0, C, [&](auto d, int64_t c) HWY_ATTR {
      const auto centred = hn::Sub(hn::LoadU(d, x + c), hn::LoadU(d, mean + c));
      const auto through_statistics = hn::MulAdd(centred, hn::LoadU(d, slope + c), hn::LoadU(d, offset + c));
      const auto direct = hn::Sub(hn::LoadU(d, dy + c), through_statistics);
      hn::StoreU(hn::Mul(hn::LoadU(d, scale + c), direct), d, dx + c);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {
namespace {

HWY_EXPORT(StatisticsKernel);
HWY_EXPORT(GradientSumsKernel);
HWY_EXPORT(NormaliseKernel);
HWY_EXPORT(BackwardInputKernel);

// Rows [rows, C] cut into chunks, each with up to three sums per channel: first, second and third [chunks][C].
struct Chunks {
  int64_t rows, C, chunk_rows, count;
  float *first, *second, *third;

  Chunks(int64_t all_rows, int64_t channels, Scratch& scratch) : rows(all_rows), C(channels) {
    constexpr int64_t kChunkFloats = 1 << 12;                     // 16 KiB, half of a small L1 cache
    chunk_rows = std::clamp<int64_t>(kChunkFloats / C, 16, 128);  // short sums round little
    count = (rows + chunk_rows - 1) / chunk_rows;
    first = scratch.take<float>(static_cast<size_t>(3 * count * C));
    second = first + count * C;
    third = second + count * C;
  }

  int64_t rows_in(int64_t chunk) const { return std::min(chunk_rows, rows - chunk * chunk_rows); }

  // body(chunk, its first element)
  template <class Body>
  void for_each(const Body& body) const {
    parallel_ranges(count, 2, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) body(chunk, chunk * chunk_rows * C);
    });
  }
};

int64_t rows_of(const Input& x, int64_t C) { return C == 0 ? 0 : x.elements() / C; }

// Mean and biased variance of each channel over rows > 0.
void batch_statistics(const Chunks& chunks, const float* x, float* mean, float* var) {
  chunks.for_each([&](int64_t chunk, int64_t start) {
    const int64_t at = chunk * chunks.C;
    HWY_DYNAMIC_DISPATCH(StatisticsKernel)
    (x + start, chunks.rows_in(chunk), chunks.C, chunks.first + at, chunks.second + at, chunks.third + at);
  });
  const double rows = static_cast<double>(chunks.rows);
  parallel_ranges(chunks.C, kElementGrain / chunks.count + 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double sum = 0, squares = 0;
      for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
        const int64_t at = chunk * chunks.C + c;
        sum += static_cast<double>(chunks.rows_in(chunk)) * chunks.first[at] + chunks.second[at];
      }
      const double overall = sum / rows;
      for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
        const int64_t at = chunk * chunks.C + c;
        const double shift = chunks.first[at] - overall;
        // sum of (x - overall)^2 = sum of ((x - chunk_mean) + shift)^2
        squares +=
            chunks.third[at] + shift * (2.0 * chunks.second[at] + shift * static_cast<double>(chunks.rows_in(chunk)));
      }
      mean[c] = static_cast<float>(overall);
      var[c] = static_cast<float>(squares / rows);
    }
  });
}

}  // namespace

void CpuBackend::batch_norm2d_forward(const BatchNorm2dParams& p, const Input& x, const Input& gamma, const Input& beta,
                                      const Output& running_mean, const Output& running_var, const Output& y,
                                      const Output& mean, const Output& inv_std) {
  const int64_t C = gamma.elements(), rows = rows_of(x, C);
  float* used_var = coefficients_.take<float>(static_cast<size_t>(2 * C));
  float* scale = used_var + C;
  if (!p.training) {
    std::copy_n(running_mean.as<float>(), C, mean.as<float>());
    std::copy_n(running_var.as<float>(), C, used_var);
  } else if (rows == 0) {  // no statistics: NaN, and the running ones stay
    std::fill_n(mean.as<float>(), C, std::numeric_limits<float>::quiet_NaN());
    std::fill_n(used_var, C, std::numeric_limits<float>::quiet_NaN());
  } else {
    batch_statistics(Chunks(rows, C, partial_), x.as<float>(), mean.as<float>(), used_var);
    const float old_share = static_cast<float>(p.momentum), new_share = static_cast<float>(1 - p.momentum);
    for (int64_t c = 0; c < C; ++c) {
      float &moving_mean = running_mean.as<float>()[c], &moving_var = running_var.as<float>()[c];
      moving_mean = old_share * moving_mean + new_share * mean.as<float>()[c];
      moving_var = old_share * moving_var + new_share * used_var[c];
    }
  }
  for (int64_t c = 0; c < C; ++c) {
    const double exact = 1 / std::sqrt(static_cast<double>(used_var[c]) + p.epsilon);
    inv_std.as<float>()[c] = static_cast<float>(exact);
    scale[c] = static_cast<float>(exact * gamma.as<float>()[c]);
  }
  parallel_ranges(rows, kElementGrain / std::max<int64_t>(C, 1) + 1, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(NormaliseKernel)
    (x.as<float>() + begin * C, mean.as<float>(), scale, beta.as<float>(), end - begin, C, y.as<float>() + begin * C);
  });
}

void CpuBackend::batch_norm2d_backward_weight(const Input& dy, const Input& x, const Input& mean, const Input& inv_std,
                                              const Output& dgamma, const Output& dbeta) {
  const int64_t C = mean.elements(), rows = rows_of(x, C);
  if (C == 0) return;
  const Chunks chunks(rows, C, partial_);
  chunks.for_each([&](int64_t chunk, int64_t start) {
    HWY_DYNAMIC_DISPATCH(GradientSumsKernel)
    (dy.as<float>() + start, x.as<float>() + start, mean.as<float>(), chunks.rows_in(chunk), C,
     chunks.first + chunk * C, chunks.second + chunk * C);
  });
  parallel_ranges(C, kElementGrain / (chunks.count + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double sum = 0, products = 0;
      for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
        sum += chunks.first[chunk * C + c];
        products += chunks.second[chunk * C + c];
      }
      dbeta.as<float>()[c] = static_cast<float>(sum);
      // 0 over an empty batch, where inv_std is NaN.
      dgamma.as<float>()[c] = rows == 0 ? 0.0f : static_cast<float>(products * inv_std.as<float>()[c]);
    }
  });
}

void CpuBackend::batch_norm2d_backward_input(const BatchNorm2dParams& p, const Input& dy, const Input& x,
                                             const Input& gamma, const Input& mean, const Input& inv_std,
                                             const Input& dgamma, const Input& dbeta, const Output& dx) {
  const int64_t C = gamma.elements(), rows = rows_of(x, C);
  if (rows == 0) return;
  float* scale = coefficients_.take<float>(static_cast<size_t>(3 * C));
  float *slope = scale + C, *offset = slope + C;
  const double count = p.training ? static_cast<double>(rows) : std::numeric_limits<double>::infinity();
  for (int64_t c = 0; c < C; ++c) {
    const double s = inv_std.as<float>()[c];
    scale[c] = static_cast<float>(s * gamma.as<float>()[c]);
    slope[c] = static_cast<float>(s * dgamma.as<float>()[c] / count);
    offset[c] = static_cast<float>(dbeta.as<float>()[c] / count);
  }
  parallel_ranges(rows, kElementGrain / C + 1, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(BackwardInputKernel)
    (dy.as<float>() + begin * C, x.as<float>() + begin * C, mean.as<float>(), scale, slope, offset, end - begin, C,
     dx.as<float>() + begin * C);
  });
}

}  // namespace igcnet
#endif  // HWY_ONCE
