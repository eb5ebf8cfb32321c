// random_uniform and random_normal: each block of core/random.h gives two neighbouring elements, so threads share the
// blocks and the numbers equal those of `reference` bit for bit.
#include "core/random.h"

#include "core/dispatch.h"
#include "cpu/cpu_backend.h"
#include "cpu/parallel.h"

namespace igcnet {
namespace {

constexpr int64_t kBlockGrain = 1 << 10;  // a block takes about 50 ns

// pair_of(block): the two doubles of one block; round(T(), value) is a value in T.
template <class PairOf, class Round>
void fill_with_pairs(uint64_t offset, const Output& y, const PairOf& pair_of, const Round& round) {
  dispatch_floating(y.dtype, [&]<class T>() {
    const int64_t n = y.elements();
    parallel_ranges((n + 1) / 2, kBlockGrain, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const auto pair = pair_of(offset + static_cast<uint64_t>(block));
        y.as<T>()[2 * block] = round(T(), pair[0]);
        if (2 * block + 1 < n) y.as<T>()[2 * block + 1] = round(T(), pair[1]);
      }
    });
  });
}

}  // namespace

void CpuBackend::random_uniform(const RandomParams& p, const Output& y) {
  fill_with_pairs(
      p.offset, y, [&p](uint64_t block) { return random_uniform_pair(p, block); },
      [&p]<class T>(T, double value) { return rounded_uniform<T>(p, value); });
}

void CpuBackend::random_normal(const RandomParams& p, const Output& y) {
  fill_with_pairs(
      p.offset, y, [&p](uint64_t block) { return random_normal_pair(p, block); },
      []<class T>(T, double value) { return static_cast<T>(value); });
}

}  // namespace igcnet
