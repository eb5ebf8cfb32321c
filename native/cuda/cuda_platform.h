// The machine under the kernels on a GPU: one stream, its memory, and pinned host memory for copies that overlap with
// computing. Checked on a GPU by scripts/gpu-check.
#pragma once

#include <cuda_runtime_api.h>

#include <list>
#include <string>
#include <vector>

#include "cuda/simt_backend.h"

namespace igcnet {

class CudaPlatform final : public simt::Platform {
 public:
  explicit CudaPlatform(int ordinal);
  ~CudaPlatform() override;
  CudaPlatform(const CudaPlatform&) = delete;
  CudaPlatform& operator=(const CudaPlatform&) = delete;

  simt::Stream stream() const override { return stream_; }
  void* allocate(size_t bytes) override;
  void release(void* memory) noexcept override;
  void copy(const void* from, void* to, size_t bytes) override;
  void clear(void* memory, size_t bytes) override;
  void read(const void* from, void* to, size_t bytes) override;
  size_t max_shared_bytes() const override { return max_shared_bytes_; }
  int multiprocessors() const override { return multiprocessors_; }
  std::string description() const override { return description_; }
  bool capturing() const override { return capturing_; }
  double milliseconds(const std::function<void()>& work) override;

  // Of the calling thread.
  void use_gpu() const noexcept { cudaSetDevice(ordinal_); }
  // While a graph is captured no memory can be had: allocate() throws.
  void set_capturing(bool capturing) { capturing_ = capturing; }
  // While a graph lives, what is released stays, because the graph may use it.
  void hold_memory() { ++graphs_; }
  void let_memory_go() noexcept;

 private:
  void free_held() noexcept;

  int ordinal_;
  cudaStream_t stream_ = nullptr;
  size_t max_shared_bytes_ = 0;
  int multiprocessors_ = 1;
  std::string description_;
  bool capturing_ = false;
  int graphs_ = 0;
  std::vector<void*> held_;
};

// "NVIDIA H200, compute capability 9.0, driver for CUDA 13.0, cuDNN 9.24.0, cuBLAS 13.1".
std::string describe_gpu(int ordinal);

// Page-locked host memory that copies of a stream go through, kept for the next ones.
class PinnedBuffers {
 public:
  struct Buffer {
    void* data = nullptr;
    size_t bytes = 0;
    cudaEvent_t done = nullptr;  // recorded behind the copy
    bool held = false;           // by someone who reads it
  };
  PinnedBuffers() = default;
  ~PinnedBuffers();
  PinnedBuffers(const PinnedBuffers&) = delete;
  PinnedBuffers& operator=(const PinnedBuffers&) = delete;

  // One that no copy uses. On the stream's thread; the others on any, with the caller's lock.
  Buffer& take(size_t bytes);

 private:
  std::list<Buffer> buffers_;
};

}  // namespace igcnet
