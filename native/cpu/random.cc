// random_uniform and random_normal: each block of core/random.h gives two neighbouring elements, so threads share the
// blocks and the numbers equal those of `reference` bit for bit.
#include "core/random.h"

#include "core/dispatch.h"
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {
namespace {

constexpr int64_t kBlockGrain = 1 << 10;  // a block takes about 50 ns

// pair_of(T(), block): the two numbers of one block.
template <class PairOf>
void fill_with_pairs(uint64_t offset, const Output& y, const PairOf& pair_of) {
  dispatch_floating(y.dtype, [&]<class T>() {
    const int64_t n = y.elements();
    parallel_ranges((n + 1) / 2, kBlockGrain, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const auto pair = pair_of(T(), offset + static_cast<uint64_t>(block));
        y.as<T>()[2 * block] = pair[0];
        if (2 * block + 1 < n) y.as<T>()[2 * block + 1] = pair[1];
      }
    });
  });
}

}  // namespace

void CpuBackend::random_uniform(const RandomParams& p, const Output& y) {
  fill_with_pairs(p.offset, y, [&p]<class T>(T, uint64_t block) { return random_uniform_pair<T>(p, block); });
}

void CpuBackend::random_normal(const RandomParams& p, const Output& y) {
  fill_with_pairs(p.offset, y, [&p]<class T>(T, uint64_t block) { return random_normal_pair<T>(p, block); });
}

}  // namespace igcnet
