// The secondary convolution of igc_block without a permutation, on some pixels at a time (K = L*M):
//   forward:         out[p, l'*M + m] = sum over l  of w[m*L + l', l] * in[p, l*M + m]
//   backward input:  out[p, l*M + m]  = sum over l' of w[m*L + l', l] * in[p, l'*M + m]
//   backward weight: dw[m*L + l', l] += sum over p  of dy[p, l'*M + m] * z[p, l*M + m]
// A vector of output channels from l'*M on needs for each l the M-tuple in[p, l*M .. l*M + M) repeated over its lanes,
// times one packed weight vector. Checked through igc_block against its four-op composition.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/row_kernels.h"

namespace igcnet {

class IgcSecondary {
 public:
  IgcSecondary(int64_t L, int64_t M);

  int64_t packed_floats() const { return packed_floats_; }
  // Scratch space of run() and add_gradient() for a number of pixels.
  int64_t L() const { return L_; }
  int64_t buffer_floats(int64_t pixels) const { return expand_ ? pixels * L_ * lanes_ : 0; }
  // Whether add_gradient() reads up to `lanes` floats behind a pixel of dy.
  bool reads_behind() const { return reads_behind_; }

  void pack(bool forward, const float* w, float* packed) const;
  // x and y have K floats a pixel. `ahead` is asked for shares(pixels) or more. `sums`, where fills_vectors(), are
  // those of y. `streams`: as in CorrelateRow, where fills_vectors() and y begins a cache line.
  void run(const float* x, int64_t pixels, const float* packed, float* y, float* buffer, Prefetch* ahead,
           const ShiftedSums& sums = {}, bool streams = false) const;
  // Whether each channel is a lane of one whole vector.
  bool fills_vectors() const { return vector_step_ % lanes_ == 0 && M_ * L_ % lanes_ == 0; }
  int64_t shares(int64_t pixels) const;
  // sums [packed_floats()], in the order of the packed weights.
  void add_gradient(const float* dy, const float* z, int64_t pixels, float* sums, float* buffer, Prefetch* ahead) const;
  int64_t gradient_shares(int64_t pixels) const;
  void unpack(const float* sums, float* dw) const;

 private:
  // Vectors of output channels that read the same tuples, at place m of them: channel, channel + vector_step, ..
  struct Group {
    int64_t channel, vectors, active, m, weights;
  };
  struct Tuples {
    const float* x;
    int64_t element, step;
  };

  void add_groups(int64_t m, int64_t count, int64_t active, int64_t first_channel);
  int64_t few_pixels(int64_t pixel_floats) const;
  Tuples tuples(const float* x, int64_t pixels, float* buffer) const;
  // body(place in w [K, 1, 1, L], place in the packed weights) for every weight, `run` of an output channel at a time;
  // groups run on different threads.
  template <class Body>
  void for_each_weight(bool forward, int64_t run, const Body& body) const;

  int64_t L_, M_, lanes_;
  Loader loader_;
  bool expand_;          // the tuples are repeated by expansion into a buffer, not by the load itself
  int64_t vector_step_;  // channels between the vectors of a group
  bool reads_behind_ = false;
  std::vector<Group> groups_;
  int64_t packed_floats_ = 0;
  std::vector<int32_t> table_;  // of the expansion (row_kernels.h), whose "pixels" are the tuples
};

}  // namespace igcnet
