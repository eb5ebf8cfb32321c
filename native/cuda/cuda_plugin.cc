// The border of libigcnet_cuda.so (core/plugin.h). Checked in test/cuda/plugin.test.ts.
#include "core/error.h"
#include "core/plugin.h"
#include "cuda/check.h"
#include "cuda/cuda_device.h"
#include "cuda/cuda_libraries.h"

namespace igcnet {
namespace {

ProbeResult probe(int ordinal) {
  try {
    const std::string missing = why_not_cuda(ordinal);
    if (!missing.empty()) return {false, missing};
    const CudaDevice device(ordinal, "cuda");  // starts the GPU, its stream, cuDNN and cuBLAS
    return {true, describe_gpu(ordinal)};
  } catch (const std::exception& error) {
    return {false, std::string("the GPU does not start: ") + error.what()};
  }
}

std::shared_ptr<Device> make_device(int ordinal, const std::string& name) {
  const std::string missing = why_not_cuda(ordinal);
  if (!missing.empty()) throw Error(ErrorCode::kDevice, "device " + name + " is not available: " + missing);
  return std::make_shared<CudaDevice>(ordinal, name);
}

}  // namespace
}  // namespace igcnet

#if defined(_WIN32)
#define IGCNET_EXPORT __declspec(dllexport)
#else
#define IGCNET_EXPORT __attribute__((visibility("default")))
#endif

extern "C" IGCNET_EXPORT const igcnet::DevicePlugin* igcnet_device_plugin() {
  static const igcnet::DevicePlugin kPlugin = {igcnet::plugin_sources(), igcnet::probe, igcnet::make_device};
  return &kPlugin;
}
