// batch_norm2d over the rows [N*H*W, C] of x, with the loops of channel_norm.h. Sums over rows are made in chunks of a
// fixed size that stay in the L1 cache, in f32, and the chunks are combined in order in double: exact to a rounding,
// and the same for any number of threads. Checked against `reference`.
#include "core/batch_norm2d.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/channel_norm.h"
#include "cpu/chunk_sums.h"
#include "cpu/cpu_backend.h"
#include "cpu/norm.h"
#include "cpu/parallel.h"
#include "cpu/row_chunks.h"

namespace igcnet {
namespace {

int64_t rows_of(const Input& x, int64_t C) { return C == 0 ? 0 : x.elements() / C; }

// body(begin, end) over rows of C channels, shared out to the threads.
template <class Body>
void for_rows(int64_t rows, int64_t C, const Body& body) {
  parallel_map(rows, kElementGrain / std::max<int64_t>(C, 1) + 1, body);
}

}  // namespace

void CpuBackend::batch_norm2d_statistics(const Input& x, const BatchStatistics& statistics) {
  const int64_t C = statistics.mean.elements(), rows = rows_of(x, C);
  if (rows == 0) {
    std::fill_n(statistics.mean.as<float>(), C, std::numeric_limits<float>::quiet_NaN());
    std::fill_n(statistics.var.as<float>(), C, std::numeric_limits<float>::quiet_NaN());
    return;
  }
  const RowChunks chunks(rows, C);
  float* sums = partial_.take<float>(static_cast<size_t>(chunks.count * 3 * C));
  int64_t* counts = counts_.take<int64_t>(static_cast<size_t>(chunks.count));
  chunks.for_each([&](int64_t chunk, int64_t start) {
    counts[chunk] = chunks.rows_in(chunk);
    statistics_rows(x.as<float>() + start, counts[chunk], C, sums + chunk * 3 * C);
  });
  combine_statistics(sums, counts, chunks.count, C, statistics.mean.as<float>(), statistics.var.as<float>());
}

void CpuBackend::batch_norm2d_prepare(const BatchNorm2dParams& p, const Input& statistics, const Input& gamma,
                                      const Input& beta, const Output& running_mean, const Output& running_var,
                                      const Output& norm) {
  const int64_t C = gamma.elements();
  const float *mean = running_mean.as<float>(), *var = running_var.as<float>();
  if (p.training) {
    mean = statistics.as<float>();
    var = mean + C;
    const float old_share = static_cast<float>(p.momentum), new_share = static_cast<float>(1 - p.momentum);
    for (int64_t c = 0; c < C; ++c) {
      float &moving_mean = running_mean.as<float>()[c], &moving_var = running_var.as<float>()[c];
      moving_mean = old_share * moving_mean + new_share * mean[c];
      moving_var = old_share * moving_var + new_share * var[c];
    }
  }
  float* row = norm.as<float>();
  std::copy_n(mean, C, row);
  for (int64_t c = 0; c < C; ++c) {
    row[C + c] = static_cast<float>(1 / std::sqrt(static_cast<double>(var[c]) + p.epsilon));
  }
  std::copy_n(gamma.as<float>(), C, row + 2 * C);
  std::copy_n(beta.as<float>(), C, row + 3 * C);
}

void CpuBackend::batch_norm2d_apply(const Input& x, const Norm& norm, const Output& y) {
  const int64_t C = norm.mean.elements();
  const ChannelNorm applied = channel_norm(norm, coefficients_.take<float>(static_cast<size_t>(C)));
  for_rows(rows_of(x, C), C, [&](int64_t begin, int64_t end) {
    normalise_rows(applied, x.as<float>() + begin * C, end - begin, C, y.as<float>() + begin * C);
  });
}

void CpuBackend::batch_norm2d_backward_weight(const Input& dy, const Input& x, const Norm& norm,
                                              const NormWeights& gradients) {
  const int64_t C = norm.mean.elements(), rows = rows_of(x, C);
  if (C == 0) return;
  const ChannelNorm applied = channel_norm(norm, coefficients_.take<float>(static_cast<size_t>(C)));
  const RowChunks chunks(rows, C);
  float* sums = partial_.take<float>(static_cast<size_t>(chunks.count * 2 * C));
  double* totals = norm_sums_.take<double>(static_cast<size_t>(2 * C));
  chunks.for_each([&](int64_t chunk, int64_t start) {
    std::fill_n(sums + chunk * 2 * C, 2 * C, 0.0f);
    mask_and_sum_rows(applied, x.as<float>() + start, dy.as<float>() + start, nullptr, chunks.rows_in(chunk), C,
                      sums + chunk * 2 * C);
  });
  combine_sums(sums, chunks.count, C, totals);
  put_norm_weights(totals, norm, gradients);
  // Over an empty batch inv_std is NaN.
  if (rows == 0) std::fill_n(gradients.dgamma.as<float>(), C, 0.0f);
}

void CpuBackend::batch_norm2d_backward_input(const Input& dy, const NormGradient& gradient, const Output& dx) {
  const int64_t C = gradient.norm.mean.elements(), rows = rows_of(dy, C);
  if (rows == 0) return;
  const ChannelNormGradient carried_out =
      channel_norm_gradient(gradient, rows, coefficients_.take<float>(static_cast<size_t>(3 * C)));
  for_rows(rows, C, [&](int64_t begin, int64_t end) {
    norm_gradient_rows(carried_out, carried_out.x + begin * C, dy.as<float>() + begin * C, end - begin, C,
                       dx.as<float>() + begin * C);
  });
}

}  // namespace igcnet
