// A GPU as a Device: one host thread issues the ops in order to one CUDA stream, another waits for results, so that
// reading one never keeps the next ops from being issued. Copies go through page-locked memory. The first failure of
// CUDA, cuDNN or cuBLAS (but not a lack of memory) loses the device: it is reported with the failed expression by the
// next read, and by every call after that. A recording (core/device.h) becomes a CUDA graph. Checked on a GPU by
// test/binding and scripts/gpu-check.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <mutex>
#include <string>

#include "core/device.h"
#include "core/host_stream.h"
#include "cuda/cuda_backend.h"
#include "cuda/cuda_platform.h"

namespace igcnet {

class CudaDevice final : public Device {
 public:
  CudaDevice(int ordinal, std::string name);
  ~CudaDevice() override;

  const std::string& name() const override { return name_; }
  const Backend& backend() const override { return *backend_; }
  CachingAllocator& allocator() override { return allocator_; }
  void shutdown() noexcept override;

 protected:
  void enqueue(Op op) override;
  void enqueue_upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) override;
  void enqueue_download(const Input& x, std::byte* target, Completion done) override;
  void enqueue_recording(const std::shared_ptr<Recording>& recording) override;
  void wait() override;

 private:
  // Launches the recording's graph, which the first calls make; op by op where that fails.
  void run_recording(Recording& recording);
  std::shared_ptr<void> capture(const Recording& recording);
  MemorySource memory_source();
  // Runs on the stream's thread, unless the device is lost.
  void run(const std::function<void()>& task);
  void lose(const std::string& reason) noexcept;
  void expect_alive() const;
  // Waits for a download and hands it on; on the reader's thread.
  void finish_download(PinnedBuffers::Buffer& buffer, size_t bytes, std::byte* target, std::exception_ptr error,
                       const Completion& done);

  std::string name_;
  int ordinal_;
  mutable std::mutex mutex_;                      // of lost_ and of `held` in pinned_
  std::string lost_;                              // why; empty: it works
  std::unique_ptr<CudaPlatform> owned_platform_;  // until the backend has it
  CudaPlatform* platform_;
  cudaStream_t stream_;
  std::unique_ptr<CudaBackend> backend_;
  PinnedBuffers pinned_;
  CachingAllocator allocator_;
  HostStream reader_, issuer_;  // last: their threads end before what they use
};

}  // namespace igcnet
