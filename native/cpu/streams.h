// Stores that go past the caches: an output that these would not hold until it is read is written without reading the
// old values of its memory first. Only speed hangs on it.
#pragma once

#include <cstdint>

#include "hwy/cache_control.h"

namespace igcnet {

// Whether they pay for an output of so many floats, and its cache lines are whole ones.
inline bool worth_streaming(const float* y, int64_t floats) {
  constexpr int64_t kFewest = int64_t{1} << 20;  // 4 MiB: more than the L2 caches of a few cores hold
  constexpr uintptr_t kLine = 64;
  return floats >= kFewest && reinterpret_cast<uintptr_t>(y) % kLine == 0;
}

// Behind a thread's stores, before other threads read them.
inline void flush_streams() { hwy::FlushStream(); }

}  // namespace igcnet
