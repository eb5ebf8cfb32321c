// A device that computes on the host: `reference` and `cpu` are a HostDevice around their backend.
#pragma once

#include <memory>

#include "core/device.h"
#include "core/host_stream.h"

namespace igcnet {

class HostDevice final : public Device {
 public:
  explicit HostDevice(std::unique_ptr<Backend> backend);
  ~HostDevice() override;

  const std::string& name() const override { return name_; }
  const Backend& backend() const override { return *backend_; }
  CachingAllocator& allocator() override { return allocator_; }
  void shutdown() noexcept override { stream_.stop(); }

 protected:
  void enqueue(Op op) override;
  void enqueue_upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) override;
  void enqueue_download(const Input& x, std::byte* target, Completion done) override;
  void wait() override { stream_.synchronize(); }

 private:
  std::string name_;
  std::unique_ptr<Backend> backend_;
  CachingAllocator allocator_;
  HostStream stream_;  // last: its thread ends before what it uses
};

}  // namespace igcnet
