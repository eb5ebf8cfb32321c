// A GPU as a Device: one host thread issues the ops in order to one CUDA stream, another waits for results, so that
// reading one never keeps the next ops from being issued. Copies go through page-locked memory. The first failure of
// CUDA, cuDNN or cuBLAS (but not a lack of memory) loses the device: it is reported with the failed expression by the
// next read, and by every call after that. Checked on a GPU by test/binding and scripts/gpu-check.
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
  void submit(Op op) override;
  void upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) override;
  void download(const Input& x, std::byte* target, Completion done) override;
  void synchronize() override;
  void shutdown() noexcept override;

 private:
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
  mutable std::mutex mutex_;  // of lost_ and of `held` in pinned_
  std::string lost_;          // why; empty: it works
  std::unique_ptr<CudaBackend> backend_;
  cudaStream_t stream_ = nullptr;  // of the backend's platform
  PinnedBuffers pinned_;
  CachingAllocator allocator_;
  HostStream reader_, issuer_;  // last: their threads end before what they use
};

}  // namespace igcnet
