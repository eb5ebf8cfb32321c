// Grouped convolution, and the interleaved group convolution as one piece of work, with our own kernels: any number of
// channels per group, any geometry. Libraries are slow at the few channels per group that interleaved group
// convolutions have, and some versions of oneDNN have computed wrong weight gradients at 24n groups.
//
// The work is cut into bands of output rows of an image. All steps of a layer run over a band while its rows are in the
// cache: normalising the input (batch norm and ReLU of the layer before), the primary (grouped) convolution, the
// secondary one, and the sums of the next batch norm. docs/kernels/igc-block.md has the picture and the numbers.
// Checked through conv2d and igc_block; sums over the batch run in an order that depends on the sizes alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "core/conv2d.h"
#include "cpu/channel_norm.h"
#include "cpu/group_conv_plan.h"
#include "cpu/igc_secondary.h"
#include "cpu/kept_weights.h"
#include "cpu/prefetch.h"
#include "cpu/scratch.h"
#include "cpu/unit_rows.h"

namespace igcnet {

struct GroupConvScratch {
  Scratch weights, threads, partials, sums;
  KeptWeights kept;  // of forward passes without statistics, as those of inference are
};

// y = norm(secondary(primary(norm(x)))). mean, var [K] of y are computed unless null; not beside y_norm.
struct GroupConvForward {
  const float* x = nullptr;
  ChannelNorm x_norm{};
  const float* primary_weight = nullptr;
  const float* secondary_weight = nullptr;  // null without a secondary convolution
  float* y = nullptr;
  ChannelNorm y_norm{};
  float* z = nullptr;  // null: the map between the convolutions is not kept
  float* mean = nullptr;
  float* var = nullptr;
};

// The gradients of all that; those that are null are not computed. dx is the gradient with regard to norm(x), 0 where
// x_norm's ReLU was; sums [2][C] = sum of dx, sum of dx * (x - mean), for the gradient of x_norm itself.
// With `more` there is no x_norm, x is a ReLU's result, and dx the gradient of what that had: x > 0 ? dx + more : 0.
// The sums are those of dx and dx * (side - side_mean) then, where there is a side.
struct GroupConvBackward {
  const float* dy = nullptr;
  ChannelNormGradient dy_norm{};
  const float* x = nullptr;
  ChannelNorm x_norm{};
  const float* z = nullptr;  // null: made again
  const float* primary_weight = nullptr;
  const float* secondary_weight = nullptr;
  float* dx = nullptr;
  float* primary_dw = nullptr;
  float* secondary_dw = nullptr;
  double* x_norm_sums = nullptr;
  const float* more = nullptr;
  const float *side = nullptr, *side_mean = nullptr;
};

class GroupConv {
 public:
  // secondary_partitions M: of a secondary convolution whose channels are l*M + m, l < K/M. 0: without one.
  GroupConv(const Conv2dSizes& sizes, int64_t secondary_partitions);

  using Key = std::array<int64_t, 11>;
  static Key key(const Conv2dSizes& sizes, int64_t secondary_partitions);

  // Whether backward() with dy_norm or a secondary convolution reads all of an image's dy before it writes its dx,
  // which has the same shape and may then lie where dy does.
  static bool overwrites_dy(const Conv2dSizes& sizes);

  void forward(const GroupConvForward& task, GroupConvScratch& scratch) const;
  void backward(const GroupConvBackward& task, GroupConvScratch& scratch) const;

 private:
  friend class BackwardBands;

  struct Band {
    int64_t image, begin, end;  // output rows
  };
  Band band(int64_t task) const;  // nothing for task -1

  // The chunk that is worked on when the rows of a band above `row` are done: of that band, or the first one of `next`.
  struct Coming {
    Band chunk;
    bool starts_band;
  };
  Coming coming(const Band& band, int64_t row, const Band& next) const;
  // Where the output rows of it lie in y, and the input rows in x, but those that the chunk above it has read.
  Floats outputs_of(const Coming& coming) const;
  Floats inputs_of(const Coming& coming) const;

  // Neighbouring chunks that share the sums over their pixels: so few pixels that the sums round little, and so many
  // that combining them costs little.
  static int64_t chunks_of_sums(int64_t chunk_pixels) {
    constexpr int64_t kPixels = 256;
    return std::max<int64_t>(1, kPixels / std::max<int64_t>(chunk_pixels, 1));
  }

  int64_t bands() const { return sizes_.N * bands_per_image_; }
  int64_t most_rows() const { return (sizes_.P + bands_per_image_ - 1) / bands_per_image_; }  // of a band
  // Whether the loops that make y can sum it up and send it past the caches.
  bool works_on_outputs() const { return secondary_ ? secondary_->fills_vectors() : sums_rows(forward_); }
  // The weights of both convolutions in the order of the loops.
  const float* packed_weights(const GroupConvForward& task, GroupConvScratch& scratch) const;
  // Whether y goes past the caches.
  bool streams_y(const GroupConvForward& task) const;
  int64_t multiply_adds() const {
    const int64_t primary = sizes_.R * sizes_.S * sizes_.C / sizes_.G;
    return sizes_.N * sizes_.P * sizes_.Q * sizes_.K * (primary + (secondary_ ? secondary_->L() : 0));
  }
  int64_t secondary_floats() const { return secondary_ ? secondary_->packed_floats() : 0; }

  Conv2dSizes sizes_;
  Key key_;
  CorrelationPlan forward_, backward_;  // of the primary convolution
  std::optional<IgcSecondary> secondary_;
  int64_t bands_per_image_;
  int64_t chunk_rows_, dx_chunk_rows_;  // output rows, input rows that are worked on at a time
  int64_t ring_, dz_ring_;              // rows of x and dz that these need
};

// The plans of the sizes that were used lately.
class GroupConvPlans {
 public:
  const GroupConv& of(const Conv2dSizes& sizes, int64_t secondary_partitions);

 private:
  std::map<GroupConv::Key, GroupConv> plans_;
};

}  // namespace igcnet
