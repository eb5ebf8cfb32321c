// A caching, stream-ordered allocator. A freed block goes back to the cache at once, on the thread that
// enqueues ops, although ops that use it may still wait in the stream: whoever gets the block next is enqueued
// behind them, so the order of the stream makes the reuse safe. Blocks return to the system only in trim(), after the
// stream was drained. Not thread-safe: it belongs to the JavaScript thread of one environment.
// Checked in test/binding/memory.test.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

namespace igcnet {

struct MemoryStats {
  size_t bytes_in_use = 0;    // held by live tensors (rounded up to blocks)
  size_t bytes_reserved = 0;  // held from the system: in use + cached
  size_t peak_in_use = 0;
  size_t allocations = 0;    // live blocks
  size_t broken_fences = 0;  // debug mode: blocks found written out of bounds
};

// Where blocks come from: host memory (core/host_memory.h), device memory.
struct MemorySource {
  std::function<void*(size_t)> allocate;  // nullptr when there is none
  std::function<void(void*, size_t)> release;
  std::function<void()> drain;        // waits until no enqueued op uses freed blocks
  std::function<size_t()> available;  // bytes that can be had now; slow to ask
  size_t limit = 0;                   // bytes that can ever be had
  // For the debug mode, where the host cannot touch the memory: all bytes of a range set to one value, and a copy of a
  // range. Empty: host memory.
  std::function<void(void*, unsigned char, size_t)> fill = {};
  std::function<void(char*, const void*, size_t)> read = {};
};

// Whether IGCNET_DEBUG_MEMORY is 1.
bool debug_memory();

class CachingAllocator {
 public:
  // debug (environment variable IGCNET_DEBUG_MEMORY=1, see debug_memory): every block is drained before reuse,
  // filled with 0xFF (NaN in f32 and f64), and fenced on both sides; fences are checked when it is freed.
  CachingAllocator(std::string device, MemorySource source, bool debug);
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  // 64-byte aligned; not cleared. 0 bytes give a valid pointer. Throws OutOfMemoryError with the sizes.
  void* allocate(size_t bytes);
  void free(void* pointer) noexcept;
  // Returns all cached blocks to the system, but not those of pools.
  void trim() noexcept;
  // Blocks taken from here on belong to a pool: freed, they are used again by what the pool allocates, and by nobody
  // else until release_pool(). For work that is repeated on the memory it once had (core/device.h). 0: no pool.
  void use_pool(uint64_t pool) { pool_ = pool; }
  void release_pool(uint64_t pool) noexcept;
  const MemoryStats& stats() const { return stats_; }

 private:
  struct Block {
    size_t size = 0;       // as taken from the source
    size_t requested = 0;  // as asked for
    uint64_t pool = 0;
  };
  using Cache = std::multimap<size_t, void*>;  // by size
  void* take_from(Cache& cache, size_t size);
  void* take_cached(size_t size);
  void* take_new(size_t size);
  bool fits(size_t size);
  void arm_fences(char* base, const Block& block) const;
  bool fences_hold(const char* base, const Block& block) const;

  std::string device_;
  MemorySource source_;
  bool debug_;
  Cache cache_;
  std::unordered_map<uint64_t, Cache> pools_;
  uint64_t pool_ = 0;                      // in use
  std::unordered_map<void*, Block> live_;  // by the start of the block
  MemoryStats stats_;
  size_t unchecked_ = 0;  // bytes taken since source_.available() was asked
};

}  // namespace igcnet
