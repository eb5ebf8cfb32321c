#include "core/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "core/error.h"

namespace igcnet {
namespace {

constexpr size_t kSmallStep = 512;               // blocks under 1 MiB are multiples of this,
constexpr size_t kLargeStep = size_t{64} << 10;  // larger ones of this: sizes repeat, so blocks fit again
constexpr size_t kLarge = size_t{1} << 20;
constexpr size_t kFence = 64;                    // bytes on either side in debug mode; keeps the alignment
constexpr size_t kCheckStep = size_t{16} << 20;  // bytes between two looks at what is available
constexpr unsigned char kFenceByte = 0xA5;
constexpr unsigned char kPoison = 0xFF;

size_t round_up(size_t bytes) {
  const size_t step = bytes < kLarge ? kSmallStep : kLargeStep;
  return std::max(step, (bytes + step - 1) / step * step);
}

}  // namespace

bool debug_memory() {
  const char* value = std::getenv("IGCNET_DEBUG_MEMORY");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

CachingAllocator::CachingAllocator(std::string device, MemorySource source, bool debug)
    : device_(std::move(device)), source_(std::move(source)), debug_(debug) {}

CachingAllocator::~CachingAllocator() {
  for (auto& [number, cache] : pools_) cache_.merge(cache);
  trim();
  for (const auto& [base, block] : live_) source_.release(base, block.size);
}

void* CachingAllocator::allocate(size_t bytes) {
  // An absurd number of bytes is not rounded up, which could overflow: take_new refuses it.
  const size_t size = bytes > source_.limit ? bytes : round_up(bytes + (debug_ ? 2 * kFence : 0));
  if (debug_) source_.drain();
  void* base = take_cached(size);
  if (base == nullptr) base = take_new(size);
  Block& block = live_.at(base);
  block.requested = bytes;
  block.pool = pool_;
  stats_.bytes_in_use += block.size;
  stats_.peak_in_use = std::max(stats_.peak_in_use, stats_.bytes_in_use);
  ++stats_.allocations;
  if (!debug_) return base;
  arm_fences(static_cast<char*>(base), block);
  return static_cast<char*>(base) + kFence;
}

// The smallest cached block that fits without wasting more than an eighth.
void* CachingAllocator::take_from(Cache& cache, size_t size) {
  const auto found = cache.lower_bound(size);
  if (found == cache.end() || found->first > size + size / 8) return nullptr;
  void* base = found->second;
  live_[base].size = found->first;
  cache.erase(found);
  return base;
}

// In debug mode a block of a pool has one tenant: work that is recorded runs after the fences of the next one were set.
void* CachingAllocator::take_cached(size_t size) {
  void* base = pool_ == 0 || debug_ ? nullptr : take_from(pools_[pool_], size);
  return base == nullptr ? take_from(cache_, size) : base;
}

// Whether the device has `size` more bytes.
bool CachingAllocator::fits(size_t size) {
  if (size > source_.limit || stats_.bytes_reserved > source_.limit - size) return false;
  unchecked_ += size;
  if (unchecked_ < kCheckStep) return true;
  if (size > source_.available()) return false;
  unchecked_ = 0;
  return true;
}

void* CachingAllocator::take_new(size_t size) {
  void* base = fits(size) ? source_.allocate(size) : nullptr;
  if (base == nullptr && !cache_.empty()) {
    trim();
    base = fits(size) ? source_.allocate(size) : nullptr;
  }
  if (base == nullptr) {
    throw Error(ErrorCode::kOutOfMemory, "device " + device_ + ": out of memory: " + std::to_string(size) +
                                             " bytes were asked for, " + std::to_string(stats_.bytes_in_use) +
                                             " are in use by " + std::to_string(stats_.allocations) + " tensors, " +
                                             std::to_string(source_.available()) + " are available, the limit is " +
                                             std::to_string(source_.limit));
  }
  stats_.bytes_reserved += size;
  live_[base].size = size;
  return base;
}

void CachingAllocator::free(void* pointer) noexcept {
  void* base = debug_ ? static_cast<char*>(pointer) - kFence : pointer;
  const auto found = live_.find(base);
  if (found == live_.end()) return;
  const Block block = found->second;
  if (debug_) {
    source_.drain();
    if (!fences_hold(static_cast<char*>(base), block)) ++stats_.broken_fences;
  }
  live_.erase(found);
  stats_.bytes_in_use -= block.size;
  --stats_.allocations;
  try {
    (block.pool == 0 ? cache_ : pools_[block.pool]).emplace(block.size, base);
  } catch (const std::bad_alloc&) {  // no memory to remember it by
    source_.drain();
    source_.release(base, block.size);
    stats_.bytes_reserved -= block.size;
  }
}

void CachingAllocator::release_pool(uint64_t pool) noexcept {
  for (auto& [base, block] : live_) {
    if (block.pool == pool) block.pool = 0;
  }
  auto node = pools_.extract(pool);
  if (!node.empty()) cache_.merge(node.mapped());
}

void CachingAllocator::trim() noexcept {
  if (cache_.empty()) return;
  source_.drain();
  for (const auto& [size, base] : cache_) {
    stats_.bytes_reserved -= size;
    source_.release(base, size);
  }
  cache_.clear();
}

void CachingAllocator::arm_fences(char* base, const Block& block) const {
  const auto fill = [this](void* start, unsigned char value, size_t bytes) {
    if (source_.fill) {
      source_.fill(start, value, bytes);
    } else {
      std::memset(start, value, bytes);
    }
  };
  fill(base, kFenceByte, block.size);
  fill(base + kFence, kPoison, block.requested);
}

bool CachingAllocator::fences_hold(const char* base, const Block& block) const {
  const auto intact = [this](const char* start, const char* end) {
    std::vector<char> copy;
    if (source_.read) {
      copy.resize(static_cast<size_t>(end - start));
      source_.read(copy.data(), start, copy.size());
      start = copy.data();
      end = start + copy.size();
    }
    return std::all_of(start, end, [](char c) { return static_cast<unsigned char>(c) == kFenceByte; });
  };
  return intact(base, base + kFence) && intact(base + kFence + block.requested, base + block.size);
}

}  // namespace igcnet
