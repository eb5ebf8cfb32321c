// Dense convolution and matrix products through oneDNN, with a cache of its primitives (creating one compiles code).
// Strict f32: no down-conversion. Checked through conv2d and linear.
#pragma once

#include <cstdint>
#include <memory>

#include "core/conv2d.h"

namespace igcnet {

// c[i, j] = sum over k < depth of a(i, k) * b(k, j) (+ bias[j]), c row-major. The strides tell how a and b lie.
struct MatmulSizes {
  int64_t rows, columns, depth;
  int64_t a_row, a_column;  // a(i, k) = a[i * a_row + k * a_column], one of the two is 1
  int64_t b_row, b_column;  // b(k, j) = b[k * b_row + j * b_column], likewise
};

class Dense {
 public:
  Dense();
  ~Dense();

  // Forgets every primitive; they were made for a number of threads.
  void reset();

  // Whether a convolution is one for oneDNN: dense, and with a geometry of the usual kind.
  static bool takes(const Conv2dSizes& z);
  // bias [K] may be null. The ReLU leaves 1e-30 of a negative number: one that leaves nothing drops NaNs.
  void conv_forward(const Conv2dSizes& z, const float* x, const float* w, float* y, const float* bias = nullptr,
                    bool relu = false);
  void conv_backward_input(const Conv2dSizes& z, const float* dy, const float* w, float* dx);
  void conv_backward_weight(const Conv2dSizes& z, const float* dy, const float* x, float* dw);

  // bias may be null.
  void matmul(const MatmulSizes& sizes, const float* a, const float* b, const float* bias, float* c);

 private:
  struct Cache;
  std::unique_ptr<Cache> cache_;
};

}  // namespace igcnet
