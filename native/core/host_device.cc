#include "core/host_device.h"

#include <cstring>

#include "core/host_memory.h"

namespace igcnet {

HostDevice::HostDevice(std::unique_ptr<Backend> backend)
    : name_(backend->name()),
      backend_(std::move(backend)),
      allocator_(name_,
                 {allocate_host_memory, release_host_memory, [this] { stream_.synchronize(); }, available_host_memory,
                  host_memory_limit()},
                 debug_memory()) {}

HostDevice::~HostDevice() {
  stream_.stop();
  allocator_.trim();  // while the stream that it would drain still exists
}

void HostDevice::enqueue(Op op) {
  stream_.submit([this, op = std::move(op)] { op(*backend_); });
}

void HostDevice::enqueue_upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) {
  if (bytes == 0) return;
  stream_.submit([source = std::move(source), bytes, y] { std::memcpy(y.data, source.get(), bytes); });
}

void HostDevice::enqueue_download(const Input& x, std::byte* target, Completion done) {
  stream_.submit([this, x, target, done = std::move(done)] {
    if (x.bytes() > 0) std::memcpy(target, x.data, x.bytes());
    done(stream_.take_error());
  });
}

}  // namespace igcnet
