// reorder: y[row, q*b + p] = x[row, p*(C/b) + q] for the factor b. A block brings a few whole rows into shared memory
// and writes them permuted, both in 16-byte accesses, whatever the dtype; rows too long for that are moved element by
// element. The gradient is the permutation with the factor C/b. Checked in test/kernels/reorder.test.ts.
#include <algorithm>

#include "core/reorder.h"
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

constexpr int kBlockElements = 2048;   // of the rows that a block moves, about
constexpr int kMaxRowElements = 2048;  // of a row that goes through shared memory: four of them are 32 KiB

// A block moves `block_rows` rows, as many as make its elements begin at a multiple of 16 bytes.
template <class T>
__global__ void reorder_rows_kernel(int64_t n, int block_rows, int C, int b, const T* x, T* y) {
  constexpr int kWide = 16 / sizeof(T);
  T* rows = dynamic_shared<T>();
  const int64_t start = static_cast<int64_t>(blockIdx.x) * block_rows * C;
  const int count = static_cast<int>(n - start < static_cast<int64_t>(block_rows) * C ? n - start : block_rows * C);
  const int wides = count / kWide, threads = static_cast<int>(blockDim.x), thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < wides; i += threads) {
    write_neighbours(rows + kWide * i, read_neighbours<kWide>(x + start + kWide * i));
  }
  for (int i = kWide * wides + thread; i < count; i += threads) rows[i] = x[start + i];
  __syncthreads();
  const int width = C / b;
  const auto source = [&](int i) {
    const int row = i / C, j = i - row * C, q = j / b, p = j - q * b;
    return rows[row * C + p * width + q];
  };
  for (int i = thread; i < wides; i += threads) {
    Neighbours<kWide, T> made;
#pragma unroll
    for (int k = 0; k < kWide; ++k) made.at[k] = source(kWide * i + k);
    write_neighbours(y + start + kWide * i, made);
  }
  for (int i = kWide * wides + thread; i < count; i += threads) y[start + i] = source(i);
}

template <class T>
__global__ void reorder_elements_kernel(int64_t n, int64_t C, int64_t b, const T* x, T* y) {
  const int64_t i = global_thread();
  if (i >= n) return;
  const int64_t row = i / C, j = i - row * C, q = j / b, p = j - q * b;
  y[i] = x[row * C + p * (C / b) + q];
}

template <class T>
void reorder(Stream stream, const Input& x, int64_t b, const Output& y) {
  constexpr int kWide = 16 / sizeof(T);
  const int64_t n = x.elements(), C = x.shape[x.shape.rank() - 1];
  if (n == 0) return;
  if (C > kMaxRowElements) {
    launch(independent(n), stream, reorder_elements_kernel<T>, n, C, b, x.as<T>(), y.as<T>());
    return;
  }
  const int block_rows = kWide * std::max(1, static_cast<int>(kBlockElements / (kWide * C)));
  const int64_t rows = n / C, blocks = (rows + block_rows - 1) / block_rows;
  const size_t shared_bytes = static_cast<size_t>(block_rows * C) * sizeof(T);
  launch(cooperative(blocks, kThreads, shared_bytes), stream, reorder_rows_kernel<T>, n, block_rows,
         static_cast<int>(C), static_cast<int>(b), x.as<T>(), y.as<T>());
}

// Values are moved as they are: by their size.
void reorder_any(Stream stream, const Input& x, int64_t b, const Output& y) {
  if (size_of(x.dtype) == 2) {
    reorder<BF16>(stream, x, b, y);
  } else {
    reorder<float>(stream, x, b, y);
  }
}

}  // namespace

void SimtBackend::reorder_forward(const ReorderParams& p, const Input& x, const Output& y) {
  reorder_check("reorder", p, x.shape);
  reorder_any(stream(), x, p.factor, y);
}

void SimtBackend::reorder_backward_input(const ReorderParams& p, const Input& dy, const Output& dx) {
  reorder_check("reorder", p, dy.shape);
  reorder_any(stream(), dy, dy.shape[dy.shape.rank() - 1] / p.factor, dx);
}

}  // namespace igcnet::simt
