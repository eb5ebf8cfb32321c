// The backward direction of group_conv.h. A band of output rows has two parts: from dy row by row to dz, the weights'
// gradients beside it (z is computed again from x where it was not kept), then from dz to dx. dz lies in the cache
// between them.
#include <algorithm>
#include <bit>

#include "cpu/block_sums.h"
#include "cpu/chunk_sums.h"
#include "cpu/group_conv.h"
#include "cpu/parallel.h"
#include "cpu/prefetch.h"
#include "cpu/unit_rows.h"

namespace igcnet {

// One call of GroupConv::backward.
class BackwardBands {
 public:
  BackwardBands(const GroupConv& conv, const GroupConvBackward& task, GroupConvScratch& scratch)
      : conv_(conv), task_(task), scratch_(scratch), sizes_(conv.sizes_) {}

  void run() {
    prepare_weights();
    count_blocks();
    int64_t thread_floats = 0;
    Buffers(*this, ThreadBuffer(nullptr), &thread_floats);
    float* memory = scratch_.threads.take<float>(static_cast<size_t>(parallel_threads() * thread_floats));
    for (int t = 0; t < parallel_threads(); ++t) {
      Buffers buffers(*this, ThreadBuffer(memory + t * thread_floats));
      buffers.x.clear_padding();
      buffers.dz_rows.clear_padding();
    }
    BlockSums gradients(scratch_.partials.take<float>(static_cast<size_t>(blocks_ * block_floats_)), blocks_,
                        block_floats_);
    if (task_.x_norm_sums != nullptr) {
      shared_ = GroupConv::chunks_of_sums(conv_.dx_chunk_rows_ * sizes_.W);
      const int64_t chunks = (most_dx_rows_ + conv_.dx_chunk_rows_ - 1) / conv_.dx_chunk_rows_;
      sums_of_band_ = (chunks + shared_ - 1) / shared_;
      sums_ = scratch_.sums.take<float>(static_cast<size_t>(conv_.bands() * sums_of_band_ * 2 * sizes_.C));
      std::fill_n(sums_, conv_.bands() * sums_of_band_ * 2 * sizes_.C, 0.0f);
    }
    parallel_tasks(blocks_, blocks_, 1, [&](int64_t block, int thread, int64_t next_block) {
      Buffers buffers(*this, ThreadBuffer(memory + thread * thread_floats));
      float* sums = gradients.of(block);
      std::fill_n(sums, block_floats_, 0.0f);
      for (int64_t b = first_band(block); b < first_band(block + 1); ++b) {
        const int64_t next = b + 1 < first_band(block + 1) ? b + 1 : next_block < 0 ? -1 : first_band(next_block);
        run_band(b, next, sums, buffers);
      }
      gradients.finish(block);
    });
    gradients.add();
    put_gradients(gradients.of(0));
    if (sums_ != nullptr) combine_sums(sums_, conv_.bands() * sums_of_band_, sizes_.C, task_.x_norm_sums);
  }

 private:
  struct Buffers {
    ExpandedRows x, dz_rows;
    TapPointers pointers;
    float *dy, *z, *dz, *tuples;

    Buffers(const BackwardBands& bands, ThreadBuffer memory, int64_t* used = nullptr)
        : x(bands.conv_.forward_, bands.conv_.ring_, bands.task_.x_norm.mean != nullptr, memory),
          dz_rows(bands.conv_.backward_, bands.conv_.dz_ring_, false, memory),
          pointers(bands.sizes_.R, std::max(bands.conv_.chunk_rows_, bands.conv_.dx_chunk_rows_),
                   bands.conv_.forward_.half_floats(), memory) {
      const GroupConv& conv = bands.conv_;
      const int64_t pixels = conv.chunk_rows_ * conv.sizes_.Q, chunk = pixels * conv.sizes_.K;
      dy = memory.floats(bands.copies_dy_ ? chunk + kBehind : 0);
      z = memory.floats(bands.makes_z() ? chunk : 0);
      dz = memory.floats(bands.has_dz_ ? bands.most_dz_rows_ * conv.sizes_.Q * conv.sizes_.K + kBehind : 0);
      tuples = memory.floats(conv.secondary_ ? conv.secondary_->buffer_floats(pixels) : 0);
      if (used != nullptr) *used = memory.used();
    }
  };
  static constexpr int64_t kBehind = 32;  // floats that vectors may read behind the last pixel

  // Rows of dz that the rows of dx of a band need, and the band's own.
  struct Rows {
    int64_t dx_begin, dx_end, dz_begin, dz_end;
  };

  Rows rows_of(const GroupConv::Band& band) const {
    Rows rows{0, 0, band.begin, band.end};
    if (task_.dx == nullptr) return rows;
    rows.dx_begin = band.begin == 0 ? 0 : std::min(band.begin * sizes_.stride, sizes_.H);
    rows.dx_end = band.end == sizes_.P ? sizes_.H : std::min(band.end * sizes_.stride, sizes_.H);
    const CorrelationPlan& plan = conv_.backward_;
    for (const RowTap* tap = plan.taps_of(rows.dx_begin); tap < plan.taps_of(rows.dx_end); ++tap) {
      rows.dz_begin = std::min(rows.dz_begin, tap->in_row);
      rows.dz_end = std::max(rows.dz_end, tap->in_row + 1);
    }
    return rows;
  }

  // The rows of dz that a band makes, of its neighbours too; nothing for -1.
  GroupConv::Band dz_band(int64_t index) const {
    if (index < 0) return {0, 0, 0};
    const GroupConv::Band band = conv_.band(index);
    const Rows rows = rows_of(band);
    return {band.image, rows.dz_begin, rows.dz_end};
  }

  // Blocks are about as large as each other, but those at the ends of both halves small: a thread comes to them last,
  // and waits for another one's no longer.
  int64_t first_band(int64_t block) const {
    const int64_t bands = conv_.bands(), small = bands / blocks_ / 4 + 1, half = blocks_ / 2;
    if (blocks_ % 2 != 0 || half < 3 || bands < 2 * blocks_) return bands * block / blocks_;
    const int64_t begin = block < half ? 0 : bands / 2, end = block < half ? bands / 2 : bands, i = block % half;
    if (i == 0) return block == blocks_ ? bands : begin;
    return begin + small + (end - begin - 2 * small) * (i - 1) / (half - 2);
  }

  bool makes_z() const { return task_.secondary_dw != nullptr && task_.z == nullptr; }

  void prepare_weights() {
    const int64_t forward = conv_.forward_.packed_floats(), backward = conv_.backward_.packed_floats();
    float* memory = scratch_.weights.take<float>(static_cast<size_t>(forward + backward + conv_.secondary_floats()));
    primary_ = memory;
    transposed_primary_ = memory + forward;
    transposed_secondary_ = transposed_primary_ + backward;
    if (makes_z()) pack_units(conv_.forward_, task_.primary_weight, primary_);
    if (task_.dx != nullptr) pack_units(conv_.backward_, task_.primary_weight, transposed_primary_);
    if (conv_.secondary_) conv_.secondary_->pack(false, task_.secondary_weight, transposed_secondary_);

    bool reads_behind = conv_.secondary_ && conv_.secondary_->reads_behind();
    for (const Unit& unit : conv_.forward_.units) {
      reads_behind = reads_behind || unit.channel + conv_.forward_.unit_lanes() > sizes_.K;
    }
    // dz is dy itself without a secondary convolution.
    copies_dy_ = conv_.secondary_ && (task_.dy_norm.x != nullptr || reads_behind);
    has_dz_ = conv_.secondary_ || task_.dy_norm.x != nullptr || reads_behind;
    for (int64_t b = 0; b < conv_.bands_per_image_; ++b) {
      const Rows rows = rows_of(conv_.band(b));
      most_dz_rows_ = std::max(most_dz_rows_, rows.dz_end - rows.dz_begin);
      most_dx_rows_ = std::max(most_dx_rows_, rows.dx_end - rows.dx_begin);
    }
  }

  // Blocks of bands with sums of their own: for any number of threads, but so few that their sums weigh little beside
  // the data. A function of the sizes alone.
  void count_blocks() {
    primary_floats_ = task_.primary_dw == nullptr ? 0 : conv_.forward_.weight_floats();
    block_floats_ = primary_floats_ + (task_.secondary_dw == nullptr ? 0 : conv_.secondary_floats());
    constexpr int64_t kFewest = 20, kMost = 64, kMostFloats = int64_t{1} << 22;  // 16 MiB for all of them
    const int64_t data = sizes_.N * sizes_.P * sizes_.Q * sizes_.K;
    blocks_ = std::clamp<int64_t>(block_floats_ == 0 ? kMost : data / (8 * block_floats_), kFewest, kMost);
    const auto room = static_cast<uint64_t>(std::max<int64_t>(2, kMostFloats / std::max<int64_t>(block_floats_, 1)));
    blocks_ = std::min({blocks_, static_cast<int64_t>(std::bit_floor(room)), conv_.bands()});
  }

  void run_band(int64_t index, int64_t next, float* sums, Buffers& buffers) {
    const GroupConv::Band band = conv_.band(index);
    const Rows rows = rows_of(band);
    const int64_t image = sizes_.H * sizes_.W * sizes_.C;
    buffers.x.start_image({task_.x + band.image * image, sizes_.W * sizes_.C, sizes_.C, task_.x + sizes_.N * image},
                          task_.x_norm);
    // dz row p is at dz + p * Q * K.
    float* dz = has_dz_ ? buffers.dz - rows.dz_begin * sizes_.Q * sizes_.K
                        : const_cast<float*>(task_.dy) + band.image * sizes_.P * sizes_.Q * sizes_.K;
    const GroupConv::Band all{band.image, rows.dz_begin, rows.dz_end}, following = dz_band(next);
    for (int64_t p = rows.dz_begin; p < rows.dz_end;) {
      const int64_t border = p < band.begin ? band.begin : p < band.end ? band.end : rows.dz_end;
      const int64_t count = std::min(conv_.chunk_rows_, border - p);
      const GroupConv::Coming after = conv_.coming(all, p + count, following);
      const bool own = p >= band.begin && p < band.end;
      p += count;
      const Floats dx_after = p < rows.dz_end ? Floats{0, 0} : dx_chunk(band.image, rows, rows.dx_begin);
      run_chunk(band.image, p - count, count, own, after, dx_after, dz, sums, buffers);
    }
    if (task_.dx != nullptr) run_dx(index, band.image, rows, dz, buffers);
  }

  // Output rows [p, p + rows): dz, and if `own` the gradients of the weights. `after` and `dx_after` come while these
  // are worked on.
  void run_chunk(int64_t image, int64_t p, int64_t rows, bool own, const GroupConv::Coming& after,
                 const Floats& dx_after, float* dz, float* sums, Buffers& buffers) {
    const int64_t Q = sizes_.Q, K = sizes_.K, pixels = rows * Q, first = (image * sizes_.P + p) * Q * K;
    const float* dy = task_.dy + first;
    float* dz_chunk = dz + p * Q * K;
    if (has_dz_ && (copies_dy_ || !conv_.secondary_)) {
      float* copy = copies_dy_ ? buffers.dy : dz_chunk;
      copy_dy(first, pixels, copy);
      dy = copy;
    }
    const CorrelationPlan& plan = conv_.forward_;
    Prefetch ahead((conv_.secondary_ ? conv_.secondary_->shares(pixels) : 0) +
                   (own && makes_z() ? correlate_shares(plan, rows) : 0) +
                   (own && task_.primary_dw != nullptr ? gradient_shares(plan, rows) : 0) +
                   (own && task_.secondary_dw != nullptr ? conv_.secondary_->gradient_shares(pixels) : 0));
    ahead.add(task_.dy, conv_.outputs_of(after));
    ahead.add(task_.dy_norm.x, conv_.outputs_of(after));
    if (task_.secondary_dw != nullptr) ahead.add(task_.z, conv_.outputs_of(after));
    ahead.add(task_.x, conv_.inputs_of(after));
    ask_for_dx(dx_after, ahead);
    if (conv_.secondary_) {
      conv_.secondary_->run(dy, pixels, transposed_secondary_, dz_chunk, buffers.tuples, &ahead);
    }
    if (!own || block_floats_ == 0) return;
    find_rows(plan, p, rows, buffers.x, buffers.pointers);
    if (makes_z()) correlate_rows(plan, p, rows, buffers.x, primary_, buffers.z, K, buffers.pointers, ahead);
    if (task_.primary_dw != nullptr) {
      add_gradient_rows(plan, p, rows, buffers.x, dz_chunk, K, sums, buffers.pointers, ahead);
    }
    if (task_.secondary_dw != nullptr) {
      conv_.secondary_->add_gradient(dy, makes_z() ? buffers.z : task_.z + first, pixels, sums + primary_floats_,
                                     buffers.tuples, &ahead);
    }
  }

  void copy_dy(int64_t first, int64_t pixels, float* out) const {
    const float* dy = task_.dy + first;
    if (task_.dy_norm.x != nullptr) {
      norm_gradient_rows(task_.dy_norm, task_.dy_norm.x + first, dy, pixels, sizes_.K, out);
    } else {
      std::copy_n(dy, pixels * sizes_.K, out);
    }
  }

  // The chunk of dx from row h on.
  Floats dx_chunk(int64_t image, const Rows& rows, int64_t h) const {
    const int64_t row_floats = sizes_.W * sizes_.C;
    if (task_.dx == nullptr || h >= rows.dx_end) return {0, 0};
    return {(image * sizes_.H + h) * row_floats, std::min(conv_.dx_chunk_rows_, rows.dx_end - h) * row_floats};
  }

  // What a chunk of dx takes. Where dx lies in the memory of dy, it is in the cache.
  void ask_for_dx(const Floats& chunk, Prefetch& ahead) const {
    if (task_.dx != task_.dy) ahead.add(task_.dx, chunk);
    if (sums_ != nullptr || task_.more != nullptr) ahead.add(task_.x, chunk);
    ahead.add(task_.more, chunk);
    ahead.add(task_.side, chunk);
  }

  void run_dx(int64_t index, int64_t image, const Rows& rows, const float* dz, Buffers& buffers) {
    const CorrelationPlan& plan = conv_.backward_;
    const int64_t W = sizes_.W, C = sizes_.C, row_floats = W * C;
    const float* end = has_dz_ ? dz + rows.dz_end * sizes_.Q * sizes_.K + kBehind
                               : task_.dy + sizes_.N * sizes_.P * sizes_.Q * sizes_.K;
    buffers.dz_rows.start_image({dz, sizes_.Q * sizes_.K, sizes_.K, end}, {});
    int64_t chunk = 0;
    for (int64_t h = rows.dx_begin; h < rows.dx_end; h += conv_.dx_chunk_rows_, ++chunk) {
      const int64_t count = std::min(conv_.dx_chunk_rows_, rows.dx_end - h);
      const int64_t first = (image * sizes_.H + h) * row_floats;
      float* dx = task_.dx + first;
      Prefetch ahead(correlate_shares(plan, count));
      ask_for_dx(dx_chunk(image, rows, h + count), ahead);
      find_rows(plan, h, count, buffers.dz_rows, buffers.pointers);
      float* sums = sums_ == nullptr ? nullptr : sums_ + (index * sums_of_band_ + chunk / shared_) * 2 * C;
      const bool masks = sums != nullptr && masks_rows(plan, task_.x_norm);
      const MaskedSums mask = masks ? MaskedSums{task_.x + first, task_.x_norm, sums, sums + C} : MaskedSums{};
      correlate_rows(plan, h, count, buffers.dz_rows, transposed_primary_, dx, C, buffers.pointers, ahead,
                     {.mask = mask});
      if (task_.more != nullptr) {
        ReluSumGradient sum{.dy = dx, .more = task_.more + first, .y = task_.x + first, .dv = dx};
        if (task_.side != nullptr) sum.x = task_.side + first;
        sum.mean = task_.side_mean;
        relu_sum_gradient_rows(sum, count * W, C, sums);
      } else if (sums != nullptr && !masks) {
        mask_and_sum_rows(task_.x_norm, task_.x + first, dx, dx, count * W, C, sums);
      }
    }
  }

  void put_gradients(const float* sums) const {
    if (task_.primary_dw != nullptr) unpack_units(conv_.forward_, sums, task_.primary_dw);
    if (task_.secondary_dw != nullptr) conv_.secondary_->unpack(sums + primary_floats_, task_.secondary_dw);
  }

  const GroupConv& conv_;
  const GroupConvBackward& task_;
  GroupConvScratch& scratch_;
  const Conv2dSizes& sizes_;
  float *primary_ = nullptr, *transposed_primary_ = nullptr, *transposed_secondary_ = nullptr;
  bool copies_dy_ = false, has_dz_ = false;
  int64_t most_dz_rows_ = 0, most_dx_rows_ = 0;
  int64_t shared_ = 1, sums_of_band_ = 0;
  int64_t blocks_ = 0, block_floats_ = 0, primary_floats_ = 0;
  float* sums_ = nullptr;
};

void GroupConv::backward(const GroupConvBackward& task, GroupConvScratch& scratch) const {
  if (bands() == 0) return;
  BackwardBands(*this, task, scratch).run();
}

}  // namespace igcnet
