// The sums of many chunks of pixels, combined in order: the same for any number of threads. Those of norms in double,
// as in Chan et al. 1983: exact to a rounding of what the chunks have. Checked through batch_norm2d and igc_block.
#pragma once

#include <cstdint>

namespace igcnet {

// The mean and the biased variance of `count` chunks at sums [count][3][C], as of statistics_rows() around any value
// near the mean, of rows[chunk] rows.
void combine_statistics(const float* sums, const int64_t* rows, int64_t count, int64_t C, float* mean, float* var);

// totals [2][C] of `count` chunks at sums [count][2][C], in double.
void combine_sums(const float* sums, int64_t count, int64_t C, double* totals);

// The rows of sums [count][step] added up in order, in f32, in the first of them: of each the floats [begin, end).
void add_rows(float* sums, int64_t count, int64_t step, int64_t begin, int64_t end);

}  // namespace igcnet
