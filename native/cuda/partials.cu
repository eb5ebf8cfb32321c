// Adding up the rows of partial sums: see partials.h.
#include "cuda/four.h"
#include "cuda/partials.h"

namespace igcnet::simt {
namespace {

constexpr int kColumns = 8;  // of a block: 32 bytes of a row, the unit of memory traffic
constexpr int kSlices = 32;  // rows that are added side by side
constexpr size_t kSharedBytes = sizeof(double) * kColumns * kSlices;

// Adds what the slices have of one column, in order. All threads of the block call it.
__device__ double sum_of_slices(double* shared, int column, int slice, double value) {
  shared[slice * kColumns + column] = value;
  __syncthreads();
  double sum = 0;
  for (int s = 0; s < kSlices; ++s) sum += shared[s * kColumns + column];
  __syncthreads();
  return sum;
}

// Null where the sum of a column is not wanted.
__device__ float* place_of(const Split& out, int64_t i) {
  if (i < out.first_count) return out.first == nullptr ? nullptr : out.first + i;
  return out.second == nullptr ? nullptr : out.second + (i - out.first_count);
}

// A thread adds a whole column.
__global__ void sum_few_partials_kernel(const float* partial, int64_t rows, int64_t count, Split out) {
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
  double* shared = dynamic_shared<double>();
  const int column = static_cast<int>(threadIdx.x) % kColumns, slice = static_cast<int>(threadIdx.x) / kColumns;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kColumns + column;
  float* const place = i < count ? place_of(out, i) : nullptr;
  double sum = 0;
  if (place != nullptr) {
    for (int64_t row = slice; row < rows; row += kSlices) sum += static_cast<double>(partial[row * count + i]);
  }
  sum = sum_of_slices(shared, column, slice, sum);
  if (slice == 0 && place != nullptr) *place = static_cast<float>(sum);
}

// mean = sum of count_row * mean_row / count; var = sum of (squares_row + count_row * (mean_row - mean)^2) / count.
__global__ void merge_moments_kernel(Moments moments, int64_t rows, int64_t C, float* mean_out, float* var_out) {
  double* shared = dynamic_shared<double>();
  const int column = static_cast<int>(threadIdx.x) % kColumns, slice = static_cast<int>(threadIdx.x) / kColumns;
  const int64_t c = static_cast<int64_t>(blockIdx.x) * kColumns + column;
  double count = 0, sum = 0;
  for (int64_t row = slice; row < rows; row += kSlices) {
    const double weight = static_cast<double>(moments.counts[row]);
    count += weight;
    if (c < C) sum += weight * static_cast<double>(moments.values[row * 2 * C + c]);
  }
  count = sum_of_slices(shared, column, slice, count);
  const double mean = sum_of_slices(shared, column, slice, sum) / count;
  double squares = 0;
  if (c < C) {
    for (int64_t row = slice; row < rows; row += kSlices) {
      const double distance = static_cast<double>(moments.values[row * 2 * C + c]) - mean;
      const double within = static_cast<double>(moments.values[row * 2 * C + C + c]);
      squares += within + static_cast<double>(moments.counts[row]) * distance * distance;
    }
  }
  const double var = sum_of_slices(shared, column, slice, squares) / count;
  if (slice != 0 || c >= C) return;
  mean_out[c] = static_cast<float>(mean);
  var_out[c] = static_cast<float>(var);
}

Launch over_columns(int64_t count) {
  return cooperative((count + kColumns - 1) / kColumns, kColumns * kSlices, kSharedBytes);
}

}  // namespace

void sum_partials(Stream stream, const float* partial, int64_t rows, int64_t count, const Split& out) {
  constexpr int64_t kFewRows = kSlices;  // a slice would have one row to add
  if (rows <= kFewRows) {
    launch(independent(count), stream, sum_few_partials_kernel, partial, rows, count, out);
    return;
  }
  launch(over_columns(count), stream, sum_partials_kernel, partial, rows, count, out);
}

void merge_moments(Stream stream, const Moments& moments, int64_t rows, int64_t C, float* mean, float* var) {
  launch(over_columns(C), stream, merge_moments_kernel, moments, rows, C, mean, var);
}

}  // namespace igcnet::simt
