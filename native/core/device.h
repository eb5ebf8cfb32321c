// A device: a backend, the memory it works on, and the stream on which its ops run in order.
// One instance per device and JavaScript environment; all methods are called on that environment's thread.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "core/allocator.h"
#include "core/backend.h"
#include "core/tensor.h"

namespace igcnet {

inline constexpr int kMaxThreads = 1024;  // that a device may be asked to use

class Device {
 public:
  using Op = std::function<void(Backend&)>;
  // Receives nullptr, or the first error of the ops before it. Called on another thread.
  using Completion = std::function<void(std::exception_ptr)>;

  virtual ~Device() = default;
  virtual const std::string& name() const = 0;
  virtual const Backend& backend() const = 0;
  virtual CachingAllocator& allocator() = 0;
  // Runs the op behind everything enqueued before. The op holds raw pointers: memory is freed in stream order.
  virtual void submit(Op op) = 0;
  // Copies `bytes` host bytes (owned by the call) into y.
  virtual void upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) = 0;
  // Copies x to `target`, which must live until `done` was called.
  virtual void download(const Input& x, std::byte* target, Completion done) = 0;
  // Blocks until everything enqueued has run. Reports no error.
  virtual void synchronize() = 0;
  // Ends the stream; nothing may be submitted after it. Idempotent.
  virtual void shutdown() noexcept = 0;
};

}  // namespace igcnet
