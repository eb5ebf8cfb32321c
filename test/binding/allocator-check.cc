// The allocator of core/allocator.h in debug mode, with a program that writes where it must not. Compiled and run by
// memory.test.ts; prints one line per fact.
#include "core/allocator.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "core/error.h"
#include "core/host_memory.h"

namespace {

igcnet::CachingAllocator make_allocator(bool debug) {
  return {"test", {igcnet::allocate_host_memory, igcnet::release_host_memory, [] {}, igcnet::available_host_memory,
                   igcnet::host_memory_limit()},
          debug};
}

// Fences found broken after one byte was written at `offset` from a block of 100 bytes.
size_t broken_after_write(int offset) {
  auto allocator = make_allocator(true);
  char* block = static_cast<char*>(allocator.allocate(100));
  std::memset(block, 7, 100);
  if (offset < 0 || offset >= 100) block[offset] = 7;
  allocator.free(block);
  return allocator.stats().broken_fences;
}

}  // namespace

int main() {
  for (const int offset : {0, -1, -64, 100, 163, 400}) {
    std::printf("write at %d: %zu\n", offset, broken_after_write(offset));
  }
  auto allocator = make_allocator(true);
  const auto* numbers = static_cast<const float*>(allocator.allocate(8));
  std::printf("fresh: %d\n", std::isnan(numbers[0]) && std::isnan(numbers[1]));
  try {
    make_allocator(true).allocate(SIZE_MAX);
  } catch (const igcnet::Error& error) {
    std::printf("SIZE_MAX: %d\n", error.code() == igcnet::ErrorCode::kOutOfMemory);
  }
}
