#include "cuda/cuda_libraries.h"

#include <cuda_runtime_api.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "core/shared_library.h"
#include "cuda/cuda_places.h"

namespace igcnet {
namespace {

constexpr int kCudnnMajor = 9;
constexpr int kCublasMajor = 13;
constexpr int kLeastCapability = IGCNET_LEAST_CAPABILITY;  // the oldest of CMAKE_CUDA_ARCHITECTURES

std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string capability_text(int capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

// A library that is looked for, by the name or path in an environment variable alone if there is one.
struct Wanted {
  const char* what;   // for the error
  const char* asked;  // the value of the variable
  std::string name;
  std::string wheel;  // its folder among NVIDIA's wheels for Python
  std::string advice;
};

SharedLibrary load(const Wanted& wanted) {
  if (wanted.asked != nullptr && *wanted.asked != 0) return SharedLibrary({wanted.asked});
  std::vector<std::string> names{wanted.name};
  for (const std::string& folder : cuda_library_folders(wanted.wheel)) names.push_back(folder + "/" + wanted.name);
  return SharedLibrary(names);
}

std::string not_found(const Wanted& wanted) {
  const std::string sentence = std::string(wanted.what) + " was not found: tried ";
  if (wanted.asked != nullptr && *wanted.asked != 0) return sentence + wanted.asked;
  std::string text = sentence + wanted.name + " where the system looks";
  for (const std::string& folder : cuda_library_folders(wanted.wheel)) text += " and in " + folder;
  return text + " (" + wanted.advice + ")";
}

// False where the driver does not tell them.
bool find_gpus(const SharedLibrary& driver, int count, std::vector<CudaGpu>& gpus) {
  constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
  auto* const get = driver.function<int(int*, int)>("cuDeviceGet");
  auto* const name_of = driver.function<int(char*, int, int)>("cuDeviceGetName");
  auto* const attribute = driver.function<int(int*, int, int)>("cuDeviceGetAttribute");
  if (get == nullptr || name_of == nullptr || attribute == nullptr) return false;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    int gpu = 0, major = 0, minor = 0;
    std::array<char, 256> name{};
    if (get(&gpu, ordinal) != 0 || name_of(name.data(), static_cast<int>(name.size()) - 1, gpu) != 0 ||
        attribute(&major, kMajor, gpu) != 0 || attribute(&minor, kMinor, gpu) != 0) {
      return false;
    }
    gpus.push_back({name.data(), 10 * major + minor});
  }
  return true;
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
  int gpus = 0;
  if (started == kNoDevice || count(&gpus) != 0 || gpus == 0) return "the NVIDIA driver sees no GPU";
  if (!find_gpus(driver, gpus, found.gpus)) return "the NVIDIA driver " + name + " does not tell its GPUs";
  return {};
}

std::string find_cudnn(CudaLibraries& found) {
  const Wanted wanted{"cuDNN 9", std::getenv("IGCNET_CUDNN"), "libcudnn.so.9", "cudnn",
                      "`pip install nvidia-cudnn-cu13` brings it; IGCNET_CUDNN gives its path"};
  const SharedLibrary library = load(wanted);
  if (!library.loaded()) return not_found(wanted);
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
  const Wanted wanted{"cuBLAS 13", std::getenv("IGCNET_CUBLAS"), "libcublas.so.13", "cu13",
                      "`pip install nvidia-cublas` brings it; IGCNET_CUBLAS gives its path"};
  const SharedLibrary library = load(wanted);
  if (!library.loaded()) return not_found(wanted);
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
  const size_t place = static_cast<size_t>(ordinal), count = libraries.gpus.size();
  // Before what is missing, which would not help such a GPU.
  if (place < count && libraries.gpus[place].capability < kLeastCapability) {
    return "the GPU " + libraries.gpus[place].name + " has compute capability " +
           capability_text(libraries.gpus[place].capability) + ", but " + capability_text(kLeastCapability) +
           " or newer is needed";
  }
  if (!missing.empty()) return missing;
  if (place < count) return {};
  const std::string there = count == 1 ? "there is 1 GPU" : "there are " + std::to_string(count) + " GPUs";
  return there + ", so cuda:" + std::to_string(ordinal) + " does not exist";
}

}  // namespace igcnet
