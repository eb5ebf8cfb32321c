// The input rows of a correlation (group_conv_plan.h) as its loops read them: normalised if asked for, then expanded or
// gathered, row by row, into a ring of buffers, each when it is first asked for. Checked through conv2d and igc_block.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "cpu/channel_norm.h"
#include "cpu/group_conv_plan.h"
#include "cpu/row_kernels.h"
#include "cpu/thread_buffer.h"

namespace igcnet {

// Where the rows of one image come from: row r begins at x + r * row, its pixels are `pixel` floats apart, and nothing
// at or behind `end` is read.
struct RowSource {
  const float* x;
  int64_t row, pixel;
  const float* end;
};

class ExpandedRows {
 public:
  // `ring`: how many rows are needed at a time. The memory is given out anew for each task of a thread, and holds what
  // it held.
  ExpandedRows(const CorrelationPlan& plan, int64_t ring, bool normalise, ThreadBuffer& memory)
      : plan_(plan),
        ring_(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(ring)))),
        row_floats_(plan.in_columns * plan.in_channels),
        slab_floats_(plan.slab_floats()),
        slabs_floats_(plan.slabs * slab_floats_),
        buffer_(memory.floats(ring_ * slabs_floats_)),
        held_count_(plan.cuts_rows() ? 0 : ring_ * plan.slabs),
        held_(memory.array<int64_t>(held_count_)),
        whole_units_(plan.in_channels % plan.lanes == 0 && plan.units[0].active == plan.lanes),
        normal_(memory.floats(normal_floats(normalise))),
        normal_held_(memory.array<int64_t>(ring_)),
        zeros_(memory.floats(plan.takes_rows() ? slabs_floats_ : 0)) {}

  // Once, before the first image of a thread: the padding, which no run reaches.
  void clear_padding() {
    if (plan_.takes_rows()) std::fill_n(zeros_, slabs_floats_, 0.0f);
    for (int64_t slab = 0; slab < ring_ * plan_.slabs; ++slab) {
      float* first = buffer_ + slab * slab_floats_;
      int64_t column = 0;
      for (const PixelRun& run : plan_.runs) {
        std::fill(first + column * plan_.column, first + run.buffer * plan_.column, 0.0f);
        column = run.buffer + run.count;
      }
      std::fill(first + column * plan_.column, first + slab_floats_, 0.0f);
    }
  }

  void start_image(const RowSource& source, const ChannelNorm& norm) {
    source_ = source;
    norm_ = norm;
    std::fill_n(held_, held_count_, int64_t{-1});
    std::fill_n(normal_held_, ring_, int64_t{-1});
  }

  int64_t slab_floats() const { return slab_floats_; }

  // Row `in_row` as `unit` reads it.
  const float* row(const Unit& unit, int64_t in_row) {
    const int64_t place = in_row & (ring_ - 1);
    float* row = buffer_ + place * slabs_floats_;
    float* out = row + unit.slab * slab_floats_;
    if (plan_.cuts_rows()) {  // for all units at once
      if (normal_held_[place] != in_row) {
        normal_held_[place] = in_row;
        fill_units(in_row, row);
      }
      return out;
    }
    const int64_t slot = place * plan_.slabs + unit.slab;
    if (held_[slot] != in_row) {
      held_[slot] = in_row;
      fill(unit, in_row, out);
    }
    return out;
  }

  // Likewise for takes_rows(), zeros for rows of the padding.
  const float* row_or_padding(const Unit& unit, int64_t in_row) {
    return in_row >= 0 && in_row < plan_.in_rows ? row(unit, in_row) : zeros_;
  }

 private:
  void fill(const Unit& unit, int64_t in_row, float* out) {
    ExpandRow row{.x = source_.x + in_row * source_.row + unit.input,
                  .end = source_.end,
                  .pixel = source_.pixel,
                  .runs = plan_.runs.data(),
                  .run_count = static_cast<int64_t>(plan_.runs.size()),
                  .inputs = plan_.way == Way::kRotate ? 2 : plan_.inputs,
                  .out = out};
    if (norm_.mean != nullptr) {
      const float* normal = normalised(in_row);
      row.x = normal + unit.input;
      row.end = normal + row_floats_ + 2 * plan_.lanes;
    }
    if (plan_.way == Way::kWide) {
      gather_row(row);
    } else if (plan_.way == Way::kRotate) {
      row.table = plan_.split.data();
      row.span = 2 * plan_.lanes;
      expand_row(row);
    } else {
      row.table = plan_.tables.data() + unit.slab * plan_.inputs * plan_.lanes;
      row.span = plan_.spans[static_cast<size_t>(unit.slab)];
      expand_row(row);
    }
  }

  int64_t normal_floats(bool normalise) const {
    if (plan_.cuts_rows()) return whole_units_ ? 0 : row_floats_ + 2 * plan_.lanes;  // one row
    return normalise ? ring_ * row_floats_ + 2 * plan_.lanes : 0;
  }

  void fill_units(int64_t in_row, float* out) {
    const float* x = source_.x + in_row * source_.row;
    const int64_t C = plan_.in_channels, columns = plan_.in_columns;
    ChannelNorm norm = norm_;
    if (!whole_units_) {  // vectors reach behind the row
      if (norm.mean != nullptr) {
        normalise_rows(norm, x, columns, C, normal_);
      } else {
        std::memcpy(normal_, x, static_cast<size_t>(row_floats_) * sizeof(float));
      }
      norm = {};
      x = normal_;
    }
    for (const PixelRun& run : plan_.runs) {
      normalise_units(norm, x + run.column * C, run.count, C, plan_.units[0].active, out + run.buffer * plan_.lanes,
                      slab_floats_);
    }
  }

  const float* normalised(int64_t in_row) {
    const int64_t slot = in_row & (ring_ - 1);
    float* out = normal_ + slot * row_floats_;
    if (normal_held_[slot] != in_row) {
      normal_held_[slot] = in_row;
      normalise_rows(norm_, source_.x + in_row * source_.row, plan_.in_columns, plan_.in_channels, out);
    }
    return out;
  }

  const CorrelationPlan& plan_;
  int64_t ring_;  // a power of 2
  int64_t row_floats_, slab_floats_, slabs_floats_;
  float* buffer_;
  int64_t held_count_;
  int64_t* held_;
  bool whole_units_;
  float* normal_;
  int64_t* normal_held_;
  float* zeros_;
  RowSource source_{};
  ChannelNorm norm_;
};

}  // namespace igcnet
