// Adding up the rows of partial sums: see partials.h.
#include "cuda/four.h"
#include "cuda/partials.h"

namespace igcnet::simt {
namespace {

constexpr int kColumns = 8;  // of a block: 32 bytes of a row, the unit of memory traffic
constexpr int kSlices = 32;  // rows that are added side by side
constexpr size_t kSharedBytes = sizeof(double) * kColumns * kSlices;  // for a value a thread

// Adds what the slices have of one column, always in the same order: kValues sums at once. All threads of the block
// call it; the sums are those of slice 0.
template <int kValues>
__device__ void add_slices(double* shared, int column, int slice, double (&values)[kValues]) {
  constexpr int kStride = kColumns * kSlices;
  double* const own = shared + slice * kColumns + column;
#pragma unroll
  for (int i = 0; i < kValues; ++i) own[i * kStride] = values[i];
#pragma unroll
  for (int half = kSlices / 2; half > 0; half /= 2) {
    __syncthreads();
    if (slice >= half) continue;
#pragma unroll
    for (int i = 0; i < kValues; ++i) own[i * kStride] += own[i * kStride + half * kColumns];
  }
#pragma unroll
  for (int i = 0; i < kValues; ++i) values[i] = own[i * kStride];
}

// Null where the sum of a column is not wanted.
__device__ float* place_of(const Split& out, int64_t i) {
  if (i < out.first_count) return out.first == nullptr ? nullptr : out.first + i;
  return out.second == nullptr ? nullptr : out.second + (i - out.first_count);
}

// A thread adds a whole column.
__global__ void sum_few_partials_kernel(const float* partial, int64_t rows, int64_t count, Split out) {
  begin_early();
  const int64_t i = global_thread();
  if (i >= count) return;
  float* const place = place_of(out, i);
  if (place == nullptr) return;
  double sum = 0;
  for (int64_t row = 0; row < rows; ++row) sum += static_cast<double>(partial[row * count + i]);
  *place = static_cast<float>(sum);
}

// A block adds kColumns columns; a thread the rows slice, slice + kSlices, ... of one.
__global__ void sum_partials_kernel(const float* partial, int64_t rows, int64_t count, Split out) {
  begin_early();
  double* shared = dynamic_shared<double>();
  const int column = static_cast<int>(threadIdx.x) % kColumns, slice = static_cast<int>(threadIdx.x) / kColumns;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kColumns + column;
  float* const place = i < count ? place_of(out, i) : nullptr;
  double sum[1] = {};
  if (place != nullptr) {
    const float* from = partial + slice * count + i;
#pragma unroll 8
    for (int64_t row = slice; row < rows; row += kSlices, from += kSlices * count) sum[0] += static_cast<double>(*from);
  }
  add_slices(shared, column, slice, sum);
  if (slice == 0 && place != nullptr) *place = static_cast<float>(sum[0]);
}

// With distance_row = mean_row - origin, where the first row's mean is the origin, so that nothing cancels:
// mean = origin + sum of count_row * distance_row / count
// var = sum of (squares_row + count_row * distance_row^2) / count - (mean - origin)^2
__global__ void merge_moments_kernel(Moments moments, int64_t rows, int64_t C, float* mean_out, float* var_out) {
  begin_early();
  double* shared = dynamic_shared<double>();
  const int column = static_cast<int>(threadIdx.x) % kColumns, slice = static_cast<int>(threadIdx.x) / kColumns;
  const int64_t c = static_cast<int64_t>(blockIdx.x) * kColumns + column;
  double sums[3] = {};  // counts, distances, squares
  const float first_mean = c < C && rows > 0 ? moments.values[c] : 0.0F;
  const double origin = isfinite(first_mean) ? static_cast<double>(first_mean) : 0.0;
  if (c < C) {
#pragma unroll 8
    for (int64_t row = slice; row < rows; row += kSlices) {
      const double count = static_cast<double>(moments.counts[row]);
      const double distance = static_cast<double>(moments.values[row * 2 * C + c]) - origin;
      const double squares = static_cast<double>(moments.values[row * 2 * C + C + c]);
      sums[0] += count, sums[1] += count * distance, sums[2] += squares + count * distance * distance;
    }
  }
  add_slices(shared, column, slice, sums);
  if (slice != 0 || c >= C) return;
  const double distance = sums[1] / sums[0], var = sums[2] / sums[0] - distance * distance;
  mean_out[c] = static_cast<float>(origin + distance);
  var_out[c] = static_cast<float>(var < 0.0 ? 0.0 : var);
}

Launch over_columns(int64_t count, size_t values) {
  return cooperative((count + kColumns - 1) / kColumns, kColumns * kSlices, values * kSharedBytes);
}

}  // namespace

void sum_partials(Stream stream, const float* partial, int64_t rows, int64_t count, const Split& out) {
  constexpr int64_t kFewRows = kSlices;  // a slice would have one row to add
  if (rows <= kFewRows) {
    launch_early(independent(count), stream, sum_few_partials_kernel, partial, rows, count, out);
    return;
  }
  launch_early(over_columns(count, 1), stream, sum_partials_kernel, partial, rows, count, out);
}

void merge_moments(Stream stream, const Moments& moments, int64_t rows, int64_t C, float* mean, float* var) {
  launch_early(over_columns(C, 3), stream, merge_moments_kernel, moments, rows, C, mean, var);
}

}  // namespace igcnet::simt
