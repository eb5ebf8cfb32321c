#include "cuda/cuda_libraries.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstdlib>
#include <vector>

#include "core/shared_library.h"

namespace igcnet {
namespace {

constexpr int kCudnnMajor = 9;
constexpr int kCublasMajor = 13;

std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// The folder of this plug-in.
std::string own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// `asked`, the value of an environment variable, alone if there is one; else the name by itself, which the system looks
// for, and the place where scripts/build-cuda.mjs puts it.
std::vector<std::string> candidates(const char* asked, const std::string& name, const std::string& package_folder) {
  if (asked != nullptr && *asked != 0) return {asked};
  return {name, own_folder() + "/../cuda-packages/nvidia/" + package_folder + "/lib/" + name};
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " and ") + name;
  return text;
}

// The driver's API, as far as it is needed to know what is there.
std::string find_driver(CudaLibraries& found) {
  const char* asked = std::getenv("IGCNET_CUDA_DRIVER");
  const std::string name = asked != nullptr && *asked != 0 ? asked : "libcuda.so.1";
  const SharedLibrary driver({name});
  if (!driver.loaded()) return "no NVIDIA driver was found: tried " + name;
  auto* const init = driver.function<int(unsigned)>("cuInit");
  auto* const version = driver.function<int(int*)>("cuDriverGetVersion");
  auto* const count = driver.function<int(int*)>("cuDeviceGetCount");
  if (init == nullptr || version == nullptr || count == nullptr) return name + " is no NVIDIA driver";
  constexpr int kNoDevice = 100;  // CUDA_ERROR_NO_DEVICE
  if (version(&found.driver_version) != 0) return "the NVIDIA driver " + name + " does not tell its version";
  if (found.driver_version < CUDART_VERSION / 1000 * 1000) {
    return "the NVIDIA driver is for CUDA " + cuda_version_text(found.driver_version) + ", but " +
           cuda_version_text(CUDART_VERSION / 1000 * 1000) + " or newer is needed";
  }
  const int started = init(0);
  if (started != 0 && started != kNoDevice) {
    return "the NVIDIA driver does not start: cuInit gave error " + std::to_string(started);
  }
  if (started == kNoDevice || count(&found.gpus) != 0 || found.gpus == 0) return "the NVIDIA driver sees no GPU";
  return {};
}

std::string find_cudnn(CudaLibraries& found) {
  const auto names = candidates(std::getenv("IGCNET_CUDNN"), "libcudnn.so.9", "cudnn");
  const SharedLibrary library(names);
  if (!library.loaded()) return "cuDNN 9 was not found: tried " + names_text(names);
  auto* const version_of = library.function<size_t()>("cudnnGetVersion");
  if (version_of == nullptr) return library.name() + " is no cuDNN";
  // 9.24.0 is 92400; before 9 it was 8907 for 8.9.7.
  const size_t version = version_of(), thousand = version >= 10000 ? 10000 : 1000;
  found.cudnn_version = std::to_string(version / thousand) + "." + std::to_string(version % thousand / 100) + "." +
                        std::to_string(version % 100);
  if (version / thousand != kCudnnMajor) {
    return "expected cuDNN 9 but " + library.name() + " is cuDNN " + found.cudnn_version;
  }
#define IGCNET_FIND(symbol)                                           \
  found.cudnn.symbol = library.function<decltype(::symbol)>(#symbol); \
  if (found.cudnn.symbol == nullptr) return library.name() + " has no " #symbol;
  IGCNET_CUDNN_FUNCTIONS(IGCNET_FIND)
#undef IGCNET_FIND
  return {};
}

std::string find_cublas(CudaLibraries& found) {
  const auto names = candidates(std::getenv("IGCNET_CUBLAS"), "libcublas.so.13", "cu13");
  const SharedLibrary library(names);
  if (!library.loaded()) return "cuBLAS 13 was not found: tried " + names_text(names);
  auto* const property = library.function<decltype(::cublasGetProperty)>("cublasGetProperty");
  int major = 0, minor = 0;
  if (property == nullptr || property(MAJOR_VERSION, &major) != CUBLAS_STATUS_SUCCESS ||
      property(MINOR_VERSION, &minor) != CUBLAS_STATUS_SUCCESS) {
    return library.name() + " is no cuBLAS";
  }
  found.cublas_version = std::to_string(major) + "." + std::to_string(minor);
  if (major != kCublasMajor) {
    return "expected cuBLAS 13 but " + library.name() + " is cuBLAS " + found.cublas_version;
  }
#define IGCNET_FIND(symbol)                                            \
  found.cublas.symbol = library.function<decltype(::symbol)>(#symbol); \
  if (found.cublas.symbol == nullptr) return library.name() + " has no " #symbol;
  IGCNET_CUBLAS_FUNCTIONS(IGCNET_FIND)
#undef IGCNET_FIND
  return {};
}

CudaSearch search() {
  CudaSearch result;
  for (auto* find : {find_driver, find_cudnn, find_cublas}) {
    result.missing = find(result.libraries);
    if (!result.missing.empty()) break;
  }
  return result;
}

}  // namespace

const CudaSearch& cuda_libraries() {
  static const CudaSearch found = search();  // shared by all environments: libraries are of the process
  return found;
}

std::string why_not_cuda(int ordinal) {
  const auto& [libraries, missing] = cuda_libraries();
  if (!missing.empty()) return missing;
  if (ordinal < libraries.gpus) return {};
  const std::string there =
      libraries.gpus == 1 ? "there is 1 GPU" : "there are " + std::to_string(libraries.gpus) + " GPUs";
  return there + ", so cuda:" + std::to_string(ordinal) + " does not exist";
}

}  // namespace igcnet
