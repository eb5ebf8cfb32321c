// Memory that a kernel needs for the time of one call: a buffer that grows and is used again by the next call.
// Checked by every test of a kernel that uses it, and under AddressSanitizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "core/allocator.h"
#include "core/error.h"

namespace igcnet {

class Scratch {
 public:
  static constexpr size_t kAlignment = 64;  // one cache line, one AVX-512 vector

  // At least `count` elements of T, aligned, not initialised: NaN with IGCNET_DEBUG_MEMORY=1, so that a test sees who
  // reads them. What an earlier call returned is gone.
  template <class T>
  T* take(size_t count) {
    return static_cast<T*>(take_bytes(count, sizeof(T)));
  }

 private:
  struct Free {
    void operator()(std::byte* pointer) const { ::operator delete (pointer, std::align_val_t{kAlignment}); }
  };

  void* take_bytes(size_t count, size_t size) {
    if (count > SIZE_MAX / size) fail(count);
    const size_t bytes = count * size;
    if (bytes > capacity_) {
      memory_.reset();
      capacity_ = 0;
      memory_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow)));
      if (memory_ == nullptr) fail(bytes);
      capacity_ = bytes;
    }
    static const bool kDebug = debug_memory();
    if (kDebug) std::memset(memory_.get(), 0xFF, bytes);
    return memory_.get();
  }

  [[noreturn]] static void fail(size_t amount) {
    throw Error(ErrorCode::kOutOfMemory, "cpu: no memory for " + std::to_string(amount) + " bytes of scratch space");
  }

  std::unique_ptr<std::byte, Free> memory_;
  size_t capacity_ = 0;
};

}  // namespace igcnet
