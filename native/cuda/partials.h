// Sums over many blocks in a fixed order, so that a run repeats its bits: every block of a kernel writes what it has
// into its own row of `partial`, and a second kernel adds the rows, in double. No atomics. Checked through every op
// that reduces, and by the repeated runs of test/kernels.
#pragma once

#include "cuda/simt.h"

namespace igcnet::simt {

// Two arrays that follow each other in a row of partials. One that is null is not wanted: its columns, which nobody has
// to write, are not read.
struct Split {
  float* first = nullptr;
  int64_t first_count = 0;
  float* second = nullptr;
};

// out[i] = the sum over rows of partial[row * count + i]; 0 without rows.
void sum_partials(Stream stream, const float* partial, int64_t rows, int64_t count, const Split& out);

// The partials of mean and variance of C channels: counts[rows], then rows of [2][C]: mean of the row's values, and the
// sum of their squared distances to it.
struct Moments {
  float* counts = nullptr;
  float* values = nullptr;
};
inline size_t moments_floats(int64_t rows, int64_t C) { return static_cast<size_t>(rows + rows * 2 * C); }
inline Moments moments_of(float* memory, int64_t rows) { return {memory, memory + rows}; }

// Mean and biased variance of all rows together; NaN without values.
void merge_moments(Stream stream, const Moments& moments, int64_t rows, int64_t C, float* mean, float* var);

}  // namespace igcnet::simt
