// Row-major arrays with named indices, so that a loop body reads like its formula: x(n, h, w, c), w(k, c).
// Nothing is owned or checked here; the shapes were checked by the caller. Checked through every op that uses them.
#pragma once

#include "core/tensor.h"

namespace igcnet {

// A is a row-major matrix [rows, columns]. T may be const.
template <class T>
struct Array2 {
  T* data;
  int64_t columns;

  T& operator()(int64_t row, int64_t column) const { return data[row * columns + column]; }
};

// The four dimensions of activations [N, H, W, C] and of weights [K, R, S, C/G]. T may be const.
template <class T>
struct Array4 {
  T* data;
  int64_t d1, d2, d3;

  T& operator()(int64_t i0, int64_t i1, int64_t i2, int64_t i3) const {
    return data[((i0 * d1 + i1) * d2 + i2) * d3 + i3];
  }
};

template <class T>
Array4<const T> array4(const Input& x) {
  return {x.as<T>(), x.shape[1], x.shape[2], x.shape[3]};
}

template <class T>
Array4<T> array4(const Output& y) {
  return {y.as<T>(), y.shape[1], y.shape[2], y.shape[3]};
}

// A tensor [.., C] as the matrix [rows, C] over its last dimension.
template <class T>
Array2<const T> array2(const Input& x) {
  return {x.as<T>(), x.shape[x.shape.rank() - 1]};
}

template <class T>
Array2<T> array2(const Output& y) {
  return {y.as<T>(), y.shape[y.shape.rank() - 1]};
}

// The number of rows of that matrix; 0 for a tensor without elements, whatever C is.
inline int64_t rows_of(const Shape& shape) {
  const int64_t elements = shape.elements();
  return elements == 0 ? 0 : elements / shape[shape.rank() - 1];
}

}  // namespace igcnet
