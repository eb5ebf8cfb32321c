// Weights in the order of a kernel's loops, kept from call to call while they stay as they are: in inference, where
// packing them takes a tenth of the time of one image and more. Whether they do is seen by comparing them with a copy,
// since recorded work changes them in place. Checked in test/kernels/kept-weights.test.ts.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>

#include "cpu/scratch.h"

namespace igcnet {

class KeptWeights {
 public:
  // What decides on the order, and where the weights are.
  using Key = std::pair<std::array<int64_t, 11>, const float*>;
  struct Weights {
    const float* data;
    int64_t count;
  };

  // The weights of both kinds in the order that `pack` gives them, `packed` floats; until the next call.
  template <class Pack>
  const float* of(const Key& key, const Weights& first, const Weights& second, int64_t packed, const Pack& pack) {
    const int64_t floats = packed + first.count + second.count;
    auto found = entries_.find(key);
    if (found == entries_.end()) {
      constexpr int64_t kMost = int64_t{1} << 24;  // 64 MiB
      if (floats_ + floats > kMost) entries_.clear(), floats_ = 0;
      Entry entry;
      entry.data = entry.memory.take<float>(static_cast<size_t>(floats));
      found = entries_.emplace(key, std::move(entry)).first;
      floats_ += floats;
    } else if (found->second.is_of(first, second, packed)) {
      return found->second.data;
    }
    float* const data = found->second.data;
    pack(data);
    std::memcpy(data + packed, first.data, bytes(first));
    if (second.count > 0) std::memcpy(data + packed + first.count, second.data, bytes(second));
    return data;
  }

 private:
  static size_t bytes(const Weights& weights) { return static_cast<size_t>(weights.count) * sizeof(float); }

  // Packed, and behind that as they were.
  struct Entry {
    Scratch memory;
    float* data = nullptr;

    bool is_of(const Weights& first, const Weights& second, int64_t packed) const {
      const float* const copy = data + packed;
      return std::memcmp(copy, first.data, bytes(first)) == 0 &&
             (second.count == 0 || std::memcmp(copy + first.count, second.data, bytes(second)) == 0);
    }
  };

  std::map<Key, Entry> entries_;
  int64_t floats_ = 0;
};

}  // namespace igcnet
