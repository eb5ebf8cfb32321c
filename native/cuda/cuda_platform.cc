#include "cuda/cuda_platform.h"

#include "core/error.h"
#include "cuda/check.h"
#include "cuda/cuda_libraries.h"

namespace igcnet {

std::string describe_gpu(int ordinal) {
  cudaDeviceProp properties{};
  IGCNET_CUDA_CHECK(cudaGetDeviceProperties(&properties, ordinal));
  const CudaLibraries& found = cuda_libraries().libraries;
  return std::string(properties.name) + ", compute capability " + std::to_string(properties.major) + "." +
         std::to_string(properties.minor) + ", driver for CUDA " + std::to_string(found.driver_version / 1000) + "." +
         std::to_string(found.driver_version % 1000 / 10) + ", cuDNN " + found.cudnn_version + ", cuBLAS " +
         found.cublas_version;
}

CudaPlatform::CudaPlatform(int ordinal) : ordinal_(ordinal) {
  IGCNET_CUDA_CHECK(cudaSetDevice(ordinal));
  description_ = describe_gpu(ordinal);
  int bytes = 0;
  IGCNET_CUDA_CHECK(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal));
  max_shared_bytes_ = static_cast<size_t>(bytes);
  IGCNET_CUDA_CHECK(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, ordinal));
  IGCNET_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

CudaPlatform::~CudaPlatform() {
  cudaSetDevice(ordinal_);
  for (void* memory : held_) cudaFreeAsync(memory, stream_);
  cudaStreamDestroy(stream_);
}

void* CudaPlatform::allocate(size_t bytes) {
  if (capturing_) throw Error(ErrorCode::kUnsupported, "cuda: a graph needs more memory than there was");
  free_held();
  void* memory = nullptr;
  const cudaError_t status = cudaMallocAsync(&memory, bytes == 0 ? 1 : bytes, stream_);
  if (status == cudaSuccess) return memory;
  if (status != cudaErrorMemoryAllocation) fail_cuda("cudaMallocAsync(&memory, bytes, stream_)", status);
  cudaGetLastError();
  size_t free_bytes = 0, total = 0;
  cudaMemGetInfo(&free_bytes, &total);
  throw Error(ErrorCode::kOutOfMemory, "device cuda: out of memory: " + std::to_string(bytes) +
                                           " bytes were asked for intermediate results, " + std::to_string(free_bytes) +
                                           " are free of " + std::to_string(total));
}

void CudaPlatform::release(void* memory) noexcept {
  if (memory == nullptr) return;
  if (graphs_ > 0 || capturing_) {
    try {
      held_.push_back(memory);
    } catch (const std::bad_alloc&) {  // lost, but not used twice
    }
    return;
  }
  cudaFreeAsync(memory, stream_);
}

void CudaPlatform::let_memory_go() noexcept {
  --graphs_;
  free_held();
}

// What was released while a graph that might use it lived, or was made.
void CudaPlatform::free_held() noexcept {
  if (graphs_ > 0 || capturing_) return;
  for (void* memory : held_) cudaFreeAsync(memory, stream_);
  held_.clear();
}

void CudaPlatform::copy(const void* from, void* to, size_t bytes) {
  IGCNET_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_));
}

void CudaPlatform::clear(void* memory, size_t bytes) { IGCNET_CUDA_CHECK(cudaMemsetAsync(memory, 0, bytes, stream_)); }

void CudaPlatform::read(const void* from, void* to, size_t bytes) {
  IGCNET_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_));
  IGCNET_CUDA_CHECK(cudaStreamSynchronize(stream_));
}

double CudaPlatform::milliseconds(const std::function<void()>& work) {
  struct Event {
    cudaEvent_t made = nullptr;
    Event() { IGCNET_CUDA_CHECK(cudaEventCreate(&made)); }
    ~Event() { cudaEventDestroy(made); }
  };
  const Event begin, end;
  IGCNET_CUDA_CHECK(cudaEventRecord(begin.made, stream_));
  work();
  IGCNET_CUDA_CHECK(cudaEventRecord(end.made, stream_));
  IGCNET_CUDA_CHECK(cudaEventSynchronize(end.made));
  float elapsed = 0;
  IGCNET_CUDA_CHECK(cudaEventElapsedTime(&elapsed, begin.made, end.made));
  return static_cast<double>(elapsed);
}

PinnedBuffers::~PinnedBuffers() {
  for (const Buffer& buffer : buffers_) {
    cudaEventDestroy(buffer.done);
    cudaFreeHost(buffer.data);
  }
}

// A loop that uploads and never reads would fill the machine's memory with copies that wait for the GPU.
PinnedBuffers::Buffer& PinnedBuffers::take(size_t bytes) {
  constexpr size_t kMostWaiting = size_t{256} << 20;
  size_t all = 0;
  Buffer* waiting = nullptr;
  for (Buffer& buffer : buffers_) {
    all += buffer.bytes;
    if (buffer.held || buffer.bytes < bytes) continue;
    if (cudaEventQuery(buffer.done) == cudaSuccess) return buffer;
    if (waiting == nullptr) waiting = &buffer;
  }
  cudaGetLastError();  // cudaErrorNotReady
  if (waiting != nullptr && all + bytes > kMostWaiting) {
    IGCNET_CUDA_CHECK(cudaEventSynchronize(waiting->done));
    return *waiting;
  }
  constexpr size_t kStep = size_t{64} << 10;
  const size_t rounded = (bytes + kStep - 1) / kStep * kStep;
  Buffer made;
  made.bytes = rounded;
  // Whoever waits for it sleeps: it would keep a core busy otherwise.
  IGCNET_CUDA_CHECK(cudaEventCreateWithFlags(&made.done, cudaEventDisableTiming | cudaEventBlockingSync));
  const cudaError_t status = cudaMallocHost(&made.data, rounded);
  if (status != cudaSuccess) {
    cudaEventDestroy(made.done);
    fail_cuda("cudaMallocHost(&made.data, rounded)", status);
  }
  buffers_.push_back(made);
  return buffers_.back();
}

}  // namespace igcnet
