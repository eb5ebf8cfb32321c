// Rows of pixels cut into chunks for sums over them: of a fixed size, so that the sums do not depend on the threads.
// Checked through batch_norm2d and add_relu.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/parallel.h"

namespace igcnet {

struct RowChunks {
  int64_t rows, C, chunk_rows, count;

  RowChunks(int64_t all_rows, int64_t channels) : rows(all_rows), C(channels) {
    constexpr int64_t kChunkFloats = 1 << 12;                     // 16 KiB, half of a small L1 cache
    chunk_rows = std::clamp<int64_t>(kChunkFloats / C, 16, 128);  // short sums round little
    count = (rows + chunk_rows - 1) / chunk_rows;
  }

  int64_t rows_in(int64_t chunk) const { return std::min(chunk_rows, rows - chunk * chunk_rows); }

  // body(chunk, its first element)
  template <class Body>
  void for_each(const Body& body) const {
    parallel_map(count, 2, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) body(chunk, chunk * chunk_rows * C);
    });
  }
};

}  // namespace igcnet
