// How a layer is cut into bands and chunks, and its forward direction.
#include "cpu/group_conv.h"

#include <algorithm>

#include "cpu/chunk_sums.h"
#include "cpu/parallel.h"
#include "cpu/prefetch.h"
#include "cpu/streams.h"
#include "cpu/unit_rows.h"

namespace igcnet {
namespace {

// Bands enough for many threads at small batches, and small enough for the L2 cache. At the border of two bands some
// rows are worked on twice.
int64_t count_bands(const Conv2dSizes& z) {
  constexpr int64_t kTasks = 16, kBandFloats = 1 << 17, kFewestRows = 4;
  const int64_t wanted = std::max((kTasks + z.N - 1) / std::max<int64_t>(z.N, 1),
                                  (z.P * z.Q * std::max(z.K, z.C) + kBandFloats - 1) / kBandFloats);
  return std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, z.P / kFewestRows));
}

// Rows of about 64 pixels: long enough for the loops, and short enough to stay in the L1 or L2 cache. Whole pairs of
// rows where the loops take these.
int64_t count_chunk_rows(const CorrelationPlan& plan) {
  constexpr int64_t kPixels = 64;
  const int64_t rows = std::max<int64_t>(1, kPixels / std::max<int64_t>(plan.out_columns, 1));
  return plan.takes_pairs() ? (rows + 1) / 2 * 2 : rows;
}

}  // namespace

bool GroupConv::overwrites_dy(const Conv2dSizes& z) {
  return count_bands(z) == 1 && z.C == z.K && z.H == z.P && z.W == z.Q;
}

GroupConv::GroupConv(const Conv2dSizes& sizes, int64_t secondary_partitions)
    : sizes_(sizes),
      key_(key(sizes, secondary_partitions)),
      forward_(plan_correlation(Direction::kForward, sizes)),
      backward_(plan_correlation(Direction::kBackwardInput, sizes)),
      bands_per_image_(count_bands(sizes)),
      chunk_rows_(std::min(count_chunk_rows(forward_), most_rows())),
      dx_chunk_rows_(count_chunk_rows(backward_)),
      ring_(forward_.most_rows_under(chunk_rows_)),
      dz_ring_(backward_.most_rows_under(dx_chunk_rows_)) {
  if (secondary_partitions > 0) secondary_.emplace(sizes.K / secondary_partitions, secondary_partitions);
}

GroupConv::Key GroupConv::key(const Conv2dSizes& z, int64_t secondary_partitions) {
  return {z.N, z.H, z.W, z.C, z.K, z.R, z.S, z.G, z.stride, z.padding, secondary_partitions};
}

const GroupConv& GroupConvPlans::of(const Conv2dSizes& z, int64_t secondary_partitions) {
  constexpr size_t kMostPlans = 256;
  const GroupConv::Key key = GroupConv::key(z, secondary_partitions);
  if (plans_.size() >= kMostPlans && plans_.count(key) == 0) plans_.clear();
  return plans_.try_emplace(key, z, secondary_partitions).first->second;
}

GroupConv::Band GroupConv::band(int64_t task) const {
  if (task < 0) return {0, 0, 0};
  const int64_t image = task / bands_per_image_, b = task % bands_per_image_;
  return {image, sizes_.P * b / bands_per_image_, sizes_.P * (b + 1) / bands_per_image_};
}

GroupConv::Coming GroupConv::coming(const Band& band, int64_t row, const Band& next) const {
  const bool starts_band = row >= band.end;
  Band chunk = starts_band ? next : Band{band.image, row, band.end};
  chunk.end = std::min(chunk.end, chunk.begin + chunk_rows_);
  return {chunk, starts_band};
}

Floats GroupConv::outputs_of(const Coming& coming) const {
  const auto& [image, begin, end] = coming.chunk;
  const int64_t row = sizes_.Q * sizes_.K;
  return {(image * sizes_.P + begin) * row, (end - begin) * row};
}

Floats GroupConv::inputs_of(const Coming& coming) const {
  const auto& [image, begin, end] = coming.chunk;
  if (begin == end) return {0, 0};
  const Conv2dSizes& z = sizes_;
  const int64_t read = coming.starts_band ? 0 : std::max<int64_t>(z.R - z.stride, 0), row = z.W * z.C;
  const int64_t first = std::clamp<int64_t>(begin * z.stride - z.padding + read, 0, z.H);
  const int64_t last = std::clamp<int64_t>((end - 1) * z.stride - z.padding + z.R, first, z.H);
  return {(image * z.H + first) * row, (last - first) * row};
}

namespace {

// The buffers of one thread.
struct ForwardBuffers {
  ExpandedRows x;
  TapPointers pointers;
  float *z, *tuples;

  ForwardBuffers(const CorrelationPlan& plan, int64_t ring, int64_t chunk_rows, bool normalise, int64_t z_floats,
                 int64_t tuple_floats, ThreadBuffer memory, int64_t* used = nullptr)
      : x(plan, ring, normalise, memory),
        pointers(plan.R, chunk_rows, 0, memory),
        z(memory.floats(z_floats)),
        tuples(memory.floats(tuple_floats)) {
    if (used != nullptr) *used = memory.used();
  }
};

}  // namespace

bool GroupConv::streams_y(const GroupConvForward& task) const {
  return streams_outputs() && works_on_outputs() && task.y_norm.mean == nullptr &&
         worth_streaming(task.y, sizes_.N * sizes_.P * sizes_.Q * sizes_.K);
}

const float* GroupConv::packed_weights(const GroupConvForward& task, GroupConvScratch& scratch) const {
  const int64_t primary = forward_.packed_floats(), packed = primary + secondary_floats();
  const auto pack = [&](float* memory) {
    pack_units(forward_, task.primary_weight, memory);
    if (secondary_) secondary_->pack(true, task.secondary_weight, memory + primary);
  };
  if (task.mean == nullptr) {
    const int64_t weights = sizes_.K * sizes_.R * sizes_.S * (sizes_.C / sizes_.G);
    return scratch.kept.of({key_, task.primary_weight}, {task.primary_weight, weights},
                           {task.secondary_weight, secondary_ ? sizes_.K * secondary_->L() : 0}, packed, pack);
  }
  float* memory = scratch.weights.take<float>(static_cast<size_t>(packed));
  pack(memory);
  return memory;
}

void GroupConv::forward(const GroupConvForward& task, GroupConvScratch& scratch) const {
  if (bands() == 0) return;
  const CorrelationPlan& plan = forward_;
  const int64_t K = sizes_.K, Q = sizes_.Q, pixels = chunk_rows_ * Q;
  const float *primary = packed_weights(task, scratch), *secondary = primary + plan.packed_floats();

  const auto buffers = [&](float* memory, int64_t* used) {
    const bool makes_z = secondary_ && task.z == nullptr;
    return ForwardBuffers(plan, ring_, chunk_rows_, task.x_norm.mean != nullptr, makes_z ? pixels * K : 0,
                          secondary_ ? secondary_->buffer_floats(pixels) : 0, ThreadBuffer(memory), used);
  };
  int64_t thread_floats = 0;
  buffers(nullptr, &thread_floats);
  float* memory = scratch.threads.take<float>(static_cast<size_t>(parallel_threads() * thread_floats));
  for (int t = 0; t < parallel_threads(); ++t) buffers(memory + t * thread_floats, nullptr).x.clear_padding();

  const bool shifts_sums = task.mean != nullptr && works_on_outputs();
  const int64_t shared = shifts_sums ? chunks_of_sums(pixels) : 1;
  const int64_t sums_of_band = ((most_rows() + chunk_rows_ - 1) / chunk_rows_ + shared - 1) / shared;
  float* sums = nullptr;
  int64_t* counts = nullptr;
  if (task.mean != nullptr) {
    sums = scratch.sums.take<float>(static_cast<size_t>(bands() * sums_of_band * 3 * K));
    counts = scratch.partials.take<int64_t>(static_cast<size_t>(bands() * sums_of_band));
    std::fill_n(counts, bands() * sums_of_band, int64_t{0});
  }
  const int64_t row_floats = sizes_.W * sizes_.C, image_floats = sizes_.H * row_floats;
  const float* end = task.x + sizes_.N * image_floats;
  const bool streams = streams_y(task);
  parallel_tasks(bands(), multiply_adds(), kMultiplyAddGrain, [&](int64_t index, int thread, int64_t next) {
    const Band b = band(index);
    ForwardBuffers local = buffers(memory + thread * thread_floats, nullptr);
    local.x.start_image({task.x + b.image * image_floats, sizes_.W * sizes_.C, sizes_.C, end}, task.x_norm);
    int64_t chunk = 0;
    for (int64_t row = b.begin; row < b.end; row += chunk_rows_, ++chunk) {
      const int64_t rows = std::min(chunk_rows_, b.end - row);
      const int64_t first = (b.image * sizes_.P + row) * Q * K;
      float* y = task.y + first;
      float* z = !secondary_ ? y : task.z != nullptr ? task.z + first : local.z;
      Prefetch ahead(correlate_shares(plan, rows) + (secondary_ ? secondary_->shares(rows * Q) : 0));
      const Coming after = coming(b, row + rows, band(next));
      ahead.add(task.x, inputs_of(after));
      if (!streams) ahead.add(task.y, outputs_of(after));
      ahead.add(task.z, outputs_of(after));
      find_rows(plan, row, rows, local.x, local.pointers);
      const int64_t place = index * sums_of_band + chunk / shared;
      float* chunk_sums = sums == nullptr ? nullptr : sums + place * 3 * K;
      ShiftedSums shifted;
      if (shifts_sums) shifted = {chunk_sums, chunk_sums + K, chunk_sums + 2 * K, chunk % shared == 0};
      const OutputWork work = secondary_ ? OutputWork{} : OutputWork{.sums = shifted, .streams = streams};
      correlate_rows(plan, row, rows, local.x, primary, z, K, local.pointers, ahead, work);
      if (secondary_) secondary_->run(z, rows * Q, secondary, y, local.tuples, &ahead, shifted, streams);
      if (task.y_norm.mean != nullptr) normalise_rows(task.y_norm, y, rows * Q, K, y);
      if (chunk_sums != nullptr && rows * Q > 0) {
        if (!shifts_sums) statistics_rows(y, rows * Q, K, chunk_sums);
        counts[place] += rows * Q;
      }
    }
    if (streams) flush_streams();
  });
  if (sums != nullptr) combine_statistics(sums, counts, bands() * sums_of_band, K, task.mean, task.var);
}

}  // namespace igcnet
