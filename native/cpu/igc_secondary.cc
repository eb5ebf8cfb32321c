// The tuple is repeated by the load itself (M = 1, 2, 4, 8), by expansion into a buffer (other M below the vector
// length), or is as long as a vector or longer and read as it is.
#include "cpu/igc_secondary.h"

#include <algorithm>
#include <array>

#include "cpu/equal_blocks.h"
#include "cpu/parallel.h"

namespace igcnet {

IgcSecondary::IgcSecondary(int64_t L, int64_t M) : L_(L), M_(M), lanes_(simd_lanes()), loader_(tuple_loader(M)) {
  expand_ = M < lanes_ && loader_ == Loader::kVector;
  if (M <= lanes_) {
    const int64_t per_vector = lanes_ / M, K = L * M;  // whole tuples
    vector_step_ = per_vector * M;
    add_groups(0, K / vector_step_, vector_step_, 0);
    if (K % vector_step_ != 0) add_groups(0, 1, K % vector_step_, K / vector_step_ * vector_step_);
  } else {
    vector_step_ = M;
    for (int64_t m = 0; m < M; m += lanes_) {
      const int64_t start = std::min(m, M - lanes_);  // the last vector overlaps the one before: no partial vectors
      add_groups(start, L, lanes_, start);
    }
  }
  if (expand_) {
    for (int64_t i = 0; i < lanes_; ++i) table_.push_back(static_cast<int32_t>(i % M));
  }
}

void IgcSecondary::add_groups(int64_t m, int64_t count, int64_t active, int64_t first_channel) {
  for_equal_blocks<kMaxVectors>(count, [&](int64_t i, int64_t vectors) {
    groups_.push_back({first_channel + i * vector_step_, vectors, active, m, packed_floats_});
    packed_floats_ += vectors * L_ * lanes_;
  });
  reads_behind_ = reads_behind_ || active < lanes_;
}

namespace {

// Where the weights of an output channel begin, in w and in the packed ones.
struct OutputWeights {
  int64_t from, place;
};

// Weights of an output channel that are packed or unpacked in a run: enough of them to be asked for ahead where they
// are neighbours in w.
constexpr int64_t kRun = 64, kLongRun = 256;
constexpr int64_t kMostLanes = 16, kMostOutputs = kMaxVectors * kMostLanes;

}  // namespace

template <class Body>
void IgcSecondary::for_each_weight(bool forward, int64_t run, const Body& body) const {
  constexpr int64_t kGrain = 1 << 14;  // weights: below this a team is slower than one thread
  const int64_t count = static_cast<int64_t>(groups_.size());
  parallel_ranges(count, kGrain * count / packed_floats_ + 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      const Group& group = groups_[static_cast<size_t>(g)];
      std::array<OutputWeights, kMostOutputs> outputs;
      int64_t channels = 0;
      for (int64_t v = 0; v < group.vectors; ++v) {
        for (int64_t i = 0; i < group.active; ++i) {
          const int64_t k = group.channel + v * vector_step_ + i, l_out = k / M_, m = k % M_;
          outputs[static_cast<size_t>(channels++)] = {m * L_ * L_ + l_out * (forward ? L_ : 1),
                                                      group.weights + v * lanes_ + i};
        }
      }
      const int64_t place_step = group.vectors * lanes_;
      const int64_t step = forward ? 1 : L_;
      for (int64_t first = 0; first < L_; first += run) {
        const int64_t last = std::min(first + run, L_);
        for (int64_t c = 0; c < channels; ++c) {
          const OutputWeights& output = outputs[static_cast<size_t>(c)];
          for (int64_t l = first; l < last; ++l) body(output.from + l * step, output.place + l * place_step);
        }
      }
    }
  });
}

void IgcSecondary::pack(bool forward, const float* w, float* packed) const {
  if (reads_behind_) std::fill_n(packed, packed_floats_, 0.0f);
  for_each_weight(forward, forward ? kLongRun : kRun, [&](int64_t from, int64_t to) { packed[to] = w[from]; });
}

void IgcSecondary::unpack(const float* sums, float* dw) const {
  for_each_weight(true, kRun, [&](int64_t from, int64_t to) { dw[from] = sums[to]; });
}

// Pixels that stay in the L1 cache while all outputs are made of them; all of them where those are too few for the
// loops, or less than the weights of a group, which stay there then.
int64_t IgcSecondary::few_pixels(int64_t pixel_floats) const {
  constexpr int64_t kL1Floats = 1 << 12, kBlock = 8;
  const int64_t few = kL1Floats / pixel_floats / kBlock * kBlock;
  return few * pixel_floats > kMaxVectors * L_ * lanes_ ? few : int64_t{1} << 32;
}

IgcSecondary::Tuples IgcSecondary::tuples(const float* x, int64_t pixels, float* buffer) const {
  if (!expand_) return {x, M_, L_ * M_};
  const PixelRun run{0, 0, pixels * L_};
  expand_row({.x = x,
              .end = x + pixels * L_ * M_,
              .pixel = M_,
              .runs = &run,
              .run_count = 1,
              .inputs = 1,
              .table = table_.data(),
              .span = M_,
              .out = buffer});
  return {buffer, lanes_, L_ * lanes_};
}

int64_t IgcSecondary::shares(int64_t pixels) const {
  int64_t all = 0;
  for (const Group& group : groups_) all += correlate_shares(group.vectors, L_, pixels);
  return all;
}

void IgcSecondary::run(const float* x, int64_t pixels, const float* packed, float* y, float* buffer, Prefetch* ahead,
                       const ShiftedSums& sums, bool streams) const {
  const Tuples in = tuples(x, pixels, buffer);
  const int64_t few = few_pixels(in.step);
  for (int64_t p = 0; p < pixels; p += few) {
    for (const Group& group : groups_) {
      const float* inputs = in.x + p * in.step + group.m;
      const float* weights = packed + group.weights;
      ShiftedSums of_group = sums.of(group.channel);
      of_group.starts = of_group.starts && p == 0;
      correlate_row({.loader = loader_,
                     .rows = 1,
                     .x = &inputs,
                     .w = &weights,
                     .vectors = group.vectors,
                     .depth = L_,
                     .element = in.element,
                     .step = in.step,
                     .count = std::min(few, pixels - p),
                     .y = y + p * L_ * M_ + group.channel,
                     .y_step = L_ * M_,
                     .y_vector = vector_step_,
                     .active = group.active,
                     .ahead = ahead,
                     .sums = of_group,
                     .streams = streams});
    }
  }
}

int64_t IgcSecondary::gradient_shares(int64_t pixels) const {
  int64_t all = 0;
  for (const Group& group : groups_) all += igcnet::gradient_shares(group.vectors, L_, pixels);
  return all;
}

void IgcSecondary::add_gradient(const float* dy, const float* z, int64_t pixels, float* sums, float* buffer,
                                Prefetch* ahead) const {
  constexpr int64_t kPixels = 64;  // of which the L1 cache holds the vectors of dy that a group reads
  const Tuples in = tuples(z, pixels, buffer);
  for (int64_t p = 0; p < pixels; p += kPixels) {
    for (const Group& group : groups_) {
      const float* inputs = in.x + p * in.step + group.m;
      const float* outputs = dy + p * L_ * M_ + group.channel;
      weight_gradient_rows({.loader = loader_,
                            .x = &inputs,
                            .dw = sums + group.weights,
                            .vectors = group.vectors,
                            .depth = L_,
                            .element = in.element,
                            .step = in.step,
                            .count = std::min(kPixels, pixels - p),
                            .dy = &outputs,
                            .dy_step = L_ * M_,
                            .dy_vector = vector_step_,
                            .ahead = ahead});
    }
  }
}

}  // namespace igcnet
