#include "cuda/cuda_device.h"

#include <cstring>
#include <utility>

#include "core/error.h"
#include "cuda/check.h"

namespace igcnet {
namespace {

// Of the memory, kept from tensors: for intermediate results, workspaces, and kernels, which load when first used.
constexpr size_t kReserveShare = 32;

std::unique_ptr<CudaBackend> make_backend(std::unique_ptr<CudaPlatform> platform, const std::string& name) {
  return std::make_unique<CudaBackend>(cuda_libraries().libraries, std::move(platform), name);
}

// An executable graph. Ends where nothing that was launched uses it any more.
class Graph {
 public:
  Graph(CudaPlatform& platform, cudaGraphExec_t made) : platform_(platform), made_(made) { platform_.hold_memory(); }
  ~Graph() {
    platform_.use_gpu();
    cudaStreamSynchronize(platform_.stream());
    cudaGraphExecDestroy(made_);
    platform_.let_memory_go();
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void launch() const { IGCNET_CUDA_CHECK(cudaGraphLaunch(made_, platform_.stream())); }

 private:
  CudaPlatform& platform_;
  cudaGraphExec_t made_;
};

}  // namespace

CudaDevice::CudaDevice(int ordinal, std::string name)
    : name_(std::move(name)),
      ordinal_(ordinal),
      owned_platform_(std::make_unique<CudaPlatform>(ordinal)),
      platform_(owned_platform_.get()),
      stream_(platform_->stream()),
      backend_(make_backend(std::move(owned_platform_), name_)),
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
  source.drain = [this] { wait(); };
  source.available = [memory] {
    size_t available = 0;
    const size_t reserve = memory(available) / kReserveShare;
    return available > reserve ? available - reserve : 0;
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

void CudaDevice::enqueue(Op op) {
  expect_alive();
  issuer_.submit([this, op = std::move(op)] { run([&] { op(*backend_); }); });
}

void CudaDevice::enqueue_recording(const std::shared_ptr<Recording>& recording) {
  expect_alive();
  issuer_.submit([this, recording] { run([&] { run_recording(*recording); }); });
}

// An attempt fails where an op needs more memory than was there, which running op by op then brings.
void CudaDevice::run_recording(Recording& recording) {
  constexpr int kMostAttempts = 3;
  if (recording.form == nullptr && recording.attempts < kMostAttempts) {
    ++recording.attempts;
    recording.form = capture(recording);
  }
  if (recording.form != nullptr) {
    static_cast<const Graph*>(recording.form.get())->launch();
  } else {
    run_ops(recording, *backend_);
  }
}

// The ops as a graph; null when they cannot be captured. Nothing of them runs.
std::shared_ptr<void> CudaDevice::capture(const Recording& recording) {
  if (cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
    cudaGetLastError();
    return nullptr;
  }
  bool whole = true;
  platform_->set_capturing(true);
  try {
    for (const Op& op : recording.ops) op(*backend_);
  } catch (...) {  // it comes again, op by op, if it is more than that
    whole = false;
  }
  platform_->set_capturing(false);
  cudaGraph_t graph = nullptr;
  const cudaError_t status = cudaStreamEndCapture(stream_, &graph);
  cudaGraphExec_t made = nullptr;
  const bool captured = status == cudaSuccess && whole && cudaGraphInstantiate(&made, graph, 0) == cudaSuccess;
  if (graph != nullptr) cudaGraphDestroy(graph);
  cudaGetLastError();  // of a capture that failed; it is no error of the device
  return captured ? std::make_shared<Graph>(*platform_, made) : nullptr;
}

void CudaDevice::enqueue_upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) {
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

void CudaDevice::enqueue_download(const Input& x, std::byte* target, Completion done) {
  issuer_.submit([this, x, target, done = std::move(done)] {
    const size_t bytes = x.bytes();
    std::exception_ptr error = issuer_.take_error();
    PinnedBuffers::Buffer* buffer = nullptr;
    try {
      run([&] {
        simt::LabelFault* const fault = backend_->label_fault();  // may lack memory: before a copy uses the buffer
        {
          const std::lock_guard lock(mutex_);
          buffer = &pinned_.take(bytes + sizeof(simt::LabelFault));
          buffer->held = true;
        }
        char* const memory = static_cast<char*>(buffer->data);
        if (bytes > 0) IGCNET_CUDA_CHECK(cudaMemcpyAsync(memory, x.data, bytes, cudaMemcpyDeviceToHost, stream_));
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

void CudaDevice::wait() {
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
