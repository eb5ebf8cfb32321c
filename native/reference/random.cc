// random_uniform and random_normal: element i is number i % 2 of block offset + i/2 (core/random.h), rounded once to T.
// Checked in test/kernels against the generator's published test vectors.
#include "core/random.h"

#include "core/dispatch.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

// pair_of(T(), block): the two numbers of one block.
template <class PairOf>
void fill_with_pairs(uint64_t offset, const Output& y, PairOf pair_of) {
  dispatch_floating(y.dtype, [&]<class T>() {
    for (int64_t i = 0; i < y.elements(); ++i) {
      const uint64_t block = offset + static_cast<uint64_t>(i / 2);
      y.as<T>()[i] = pair_of(T(), block)[static_cast<size_t>(i % 2)];
    }
  });
}

}  // namespace

void ReferenceBackend::random_uniform(const RandomParams& p, const Output& y) {
  fill_with_pairs(p.offset, y, [&p]<class T>(T, uint64_t block) { return random_uniform_pair<T>(p, block); });
}

void ReferenceBackend::random_normal(const RandomParams& p, const Output& y) {
  fill_with_pairs(p.offset, y, [&p]<class T>(T, uint64_t block) { return random_normal_pair<T>(p, block); });
}

}  // namespace igcnet
