// add_relu_backward in one pass over its maps. Checked against `reference`, which composes.
#include <algorithm>

#include "cpu/channel_norm.h"
#include "cpu/chunk_sums.h"
#include "cpu/cpu_backend.h"
#include "cpu/norm.h"
#include "cpu/parallel.h"
#include "cpu/row_chunks.h"

namespace igcnet {

void CpuBackend::add_relu_backward(const Input& dy, const Input& more, const Input& y, const Output& dv, const Input& x,
                                   const Norm* x_norm, const NormWeights* sums) {
  if (dv.elements() == 0) return Backend::add_relu_backward(dy, more, y, dv, x, x_norm, sums);
  const auto from = [&](int64_t first) {
    return ReluSumGradient{.dy = dy.as<float>() + first,
                           .more = more.data == nullptr ? nullptr : more.as<float>() + first,
                           .y = y.as<float>() + first,
                           .dv = dv.as<float>() + first};
  };
  if (sums == nullptr) {
    parallel_map(dv.elements(), kElementGrain,
                 [&](int64_t begin, int64_t end) { relu_sum_gradient_rows(from(begin), 1, end - begin, nullptr); });
    return;
  }
  const int64_t C = x_norm->mean.elements();
  const RowChunks chunks(dv.elements() / C, C);
  float* partial = partial_.take<float>(static_cast<size_t>(chunks.count * 2 * C));
  chunks.for_each([&](int64_t chunk, int64_t first) {
    ReluSumGradient part = from(first);
    part.x = x.as<float>() + first;
    part.mean = x_norm->mean.as<float>();
    float* const part_sums = partial + chunk * 2 * C;
    std::fill_n(part_sums, 2 * C, 0.0f);
    relu_sum_gradient_rows(part, chunks.rows_in(chunk), C, part_sums);
  });
  double* totals = norm_sums_.take<double>(static_cast<size_t>(2 * C));
  combine_sums(partial, chunks.count, C, totals);
  put_norm_weights(totals, *x_norm, *sums);
}

}  // namespace igcnet
