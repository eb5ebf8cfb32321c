#include "cuda/cuda_device.h"

#include <cstring>
#include <utility>

#include "core/error.h"
#include "cuda/check.h"

namespace igcnet {
namespace {

std::unique_ptr<CudaBackend> make_backend(int ordinal, const std::string& name, cudaStream_t& stream) {
  auto platform = std::make_unique<CudaPlatform>(ordinal);
  stream = platform->stream();
  return std::make_unique<CudaBackend>(cuda_libraries().libraries, std::move(platform), name);
}

}  // namespace

CudaDevice::CudaDevice(int ordinal, std::string name)
    : name_(std::move(name)),
      ordinal_(ordinal),
      backend_(make_backend(ordinal, name_, stream_)),
      allocator_(name_, memory_source(), debug_memory()) {
  const auto use_this_gpu = [ordinal] { IGCNET_CUDA_CHECK(cudaSetDevice(ordinal)); };
  issuer_.submit(use_this_gpu);
  reader_.submit(use_this_gpu);
}

CudaDevice::~CudaDevice() {
  shutdown();
  cudaSetDevice(ordinal_);
  allocator_.trim();
}

// Of the calling thread, that of JavaScript.
MemorySource CudaDevice::memory_source() {
  MemorySource source;
  const auto memory = [this](size_t& available) {
    size_t total = 0;
    cudaSetDevice(ordinal_);
    if (cudaMemGetInfo(&available, &total) != cudaSuccess) cudaGetLastError();
    return total;
  };
  source.allocate = [this](size_t bytes) -> void* {
    IGCNET_CUDA_CHECK(cudaSetDevice(ordinal_));
    void* pointer = nullptr;
    const cudaError_t status = cudaMalloc(&pointer, bytes);
    if (status == cudaSuccess) return pointer;
    if (status != cudaErrorMemoryAllocation) {
      expect_alive();
      fail_cuda("cudaMalloc(&pointer, bytes)", status);
    }
    cudaGetLastError();
    return nullptr;
  };
  source.release = [this](void* pointer, size_t) {
    cudaSetDevice(ordinal_);
    cudaFree(pointer);
  };
  source.drain = [this] { synchronize(); };
  source.available = [memory] {
    size_t available = 0;
    memory(available);
    return available;
  };
  size_t ignored = 0;
  source.limit = memory(ignored);
  // The default stream does not wait for ours, so ours is drained first (by the allocator) and this waited for.
  source.fill = [this](void* start, unsigned char value, size_t bytes) {
    IGCNET_CUDA_CHECK(cudaSetDevice(ordinal_));
    IGCNET_CUDA_CHECK(cudaMemset(start, value, bytes));
    IGCNET_CUDA_CHECK(cudaStreamSynchronize(nullptr));
  };
  source.read = [this](char* copy, const void* start, size_t bytes) {
    cudaSetDevice(ordinal_);
    if (cudaMemcpy(copy, start, bytes, cudaMemcpyDeviceToHost) != cudaSuccess) cudaGetLastError();
  };
  return source;
}

void CudaDevice::lose(const std::string& reason) noexcept {
  const std::lock_guard lock(mutex_);
  if (lost_.empty()) lost_ = reason;
}

void CudaDevice::expect_alive() const {
  const std::lock_guard lock(mutex_);
  if (!lost_.empty()) throw Error(ErrorCode::kCuda, "device " + name_ + " is lost: " + lost_);
}

void CudaDevice::run(const std::function<void()>& task) {
  expect_alive();
  try {
    task();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCuda) lose(error.what());
    throw;
  }
}

void CudaDevice::submit(Op op) {
  expect_alive();
  issuer_.submit([this, op = std::move(op)] { run([&] { op(*backend_); }); });
}

void CudaDevice::upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) {
  expect_alive();
  if (bytes == 0) return;
  issuer_.submit([this, source = std::move(source), bytes, y] {
    run([&] {
      PinnedBuffers::Buffer* buffer = nullptr;
      {
        const std::lock_guard lock(mutex_);
        buffer = &pinned_.take(bytes);
      }
      std::memcpy(buffer->data, source.get(), bytes);
      IGCNET_CUDA_CHECK(cudaMemcpyAsync(y.data, buffer->data, bytes, cudaMemcpyHostToDevice, stream_));
      IGCNET_CUDA_CHECK(cudaEventRecord(buffer->done, stream_));
    });
  });
}

void CudaDevice::download(const Input& x, std::byte* target, Completion done) {
  issuer_.submit([this, x, target, done = std::move(done)] {
    const size_t bytes = x.bytes();
    std::exception_ptr error = issuer_.take_error();
    PinnedBuffers::Buffer* buffer = nullptr;
    try {
      run([&] {
        {
          const std::lock_guard lock(mutex_);
          buffer = &pinned_.take(bytes + sizeof(simt::LabelFault));
          buffer->held = true;
        }
        char* const memory = static_cast<char*>(buffer->data);
        if (bytes > 0) IGCNET_CUDA_CHECK(cudaMemcpyAsync(memory, x.data, bytes, cudaMemcpyDeviceToHost, stream_));
        simt::LabelFault* const fault = backend_->label_fault();
        IGCNET_CUDA_CHECK(cudaMemcpyAsync(memory + bytes, fault, sizeof(*fault), cudaMemcpyDeviceToHost, stream_));
        IGCNET_CUDA_CHECK(cudaMemsetAsync(fault, 0, sizeof(*fault), stream_));
        IGCNET_CUDA_CHECK(cudaEventRecord(buffer->done, stream_));
        reader_.submit(
            [this, buffer, bytes, target, error, done] { finish_download(*buffer, bytes, target, error, done); });
      });
    } catch (...) {
      if (buffer != nullptr) {
        const std::lock_guard lock(mutex_);
        buffer->held = false;
      }
      done(error != nullptr ? error : std::current_exception());
    }
  });
}

void CudaDevice::finish_download(PinnedBuffers::Buffer& buffer, size_t bytes, std::byte* target,
                                 std::exception_ptr error, const Completion& done) {
  try {
    run([&] { IGCNET_CUDA_CHECK(cudaEventSynchronize(buffer.done)); });
    const char* const memory = static_cast<const char*>(buffer.data);
    if (bytes > 0) std::memcpy(target, memory, bytes);
    simt::LabelFault fault;
    std::memcpy(&fault, memory + bytes, sizeof(fault));
    if (fault.count > 0) simt::throw_label_fault(fault);
  } catch (...) {
    if (error == nullptr) error = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    buffer.held = false;
  }
  done(error);
}

void CudaDevice::synchronize() {
  try {
    issuer_.submit([this] { run([this] { IGCNET_CUDA_CHECK(cudaStreamSynchronize(stream_)); }); });
  } catch (const Error&) {  // it was shut down
  }
  issuer_.synchronize();
  reader_.synchronize();
}

void CudaDevice::shutdown() noexcept {
  issuer_.stop();
  reader_.stop();
  cudaSetDevice(ordinal_);
  cudaStreamSynchronize(stream_);
  cudaGetLastError();
}

}  // namespace igcnet
