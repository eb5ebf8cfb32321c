// The plug-in that tests load in the place of libigcnet_cuda.so: the same kernels, on the host (host_simt.h), behind
// the same border. Memory that a kernel must not read before it wrote it is NaN.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "core/host_device.h"
#include "core/plugin.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

constexpr const char* kDescription = "kernels on the host, in place of a GPU, for tests";

class HostPlatform final : public Platform {
 public:
  Stream stream() const override { return 0; }
  void* allocate(size_t bytes) override {
    constexpr size_t kAlignment = 256;  // as cudaMalloc
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment + kAlignment;
    void* memory = std::aligned_alloc(kAlignment, rounded);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0xFF, rounded);
    return memory;
  }
  void release(void* memory) noexcept override { std::free(memory); }
  void copy(const void* from, void* to, size_t bytes) override { std::memcpy(to, from, bytes); }
  void clear(void* memory, size_t bytes) override { std::memset(memory, 0, bytes); }
  void read(const void* from, void* to, size_t bytes) override { std::memcpy(to, from, bytes); }
  size_t max_shared_bytes() const override { return size_t{163} << 10; }  // of sm_80
  int multiprocessors() const override { return 16; }                     // few, so that blocks take several tiles
  std::string description() const override { return kDescription; }
  double milliseconds(const std::function<void()>& work) override {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  }
};

// Times on the host say nothing about a GPU: nothing is measured unless a test asks for it.
std::string asked_for_file() { return std::getenv("IGCNET_CUDA_TUNING") == nullptr ? "" : tuning_file(); }

class HostSimtBackend final : public SimtBackend {
 public:
  HostSimtBackend(std::unique_ptr<Platform> platform, std::string name)
      : SimtBackend(std::move(platform), asked_for_file()), name_(std::move(name)) {}
  std::string_view name() const override { return name_; }

 private:
  void labels_were_used() override {
    const LabelFault fault = *label_fault();
    platform().clear(label_fault(), sizeof(LabelFault));
    if (fault.count > 0) throw_label_fault(fault);
  }
  std::string name_;
};

ProbeResult probe(int ordinal) {
  if (ordinal == 0) return {true, kDescription};
  return {false, "there is 1 GPU, so cuda:" + std::to_string(ordinal) + " does not exist"};
}

std::shared_ptr<Device> make_device(int, const std::string& name) {
  return std::make_shared<HostDevice>(std::make_unique<HostSimtBackend>(std::make_unique<HostPlatform>(), name));
}

}  // namespace
}  // namespace igcnet::simt

#if defined(_WIN32)
#define IGCNET_EXPORT __declspec(dllexport)
#else
#define IGCNET_EXPORT __attribute__((visibility("default")))
#endif

extern "C" IGCNET_EXPORT const igcnet::DevicePlugin* igcnet_device_plugin() {
  static const igcnet::DevicePlugin kPlugin = {igcnet::plugin_sources(), igcnet::simt::probe,
                                               igcnet::simt::make_device};
  return &kPlugin;
}
