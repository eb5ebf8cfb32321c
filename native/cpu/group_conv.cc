// The loops over rows around row_kernels.h. A task is one vector of output channels (a unit) and a block of rows of
// the batch; it keeps the input rows that are still needed in a ring of row buffers.
#include "cpu/group_conv.h"

#include <algorithm>
#include <vector>

#include "cpu/group_conv_plan.h"
#include "cpu/parallel.h"
#include "cpu/row_kernels.h"

namespace igcnet {
namespace {

// The input rows of one unit, expanded (or gathered) into a ring of buffers when they are first asked for. The padding
// in `buffer` is 0 before.
class RowRing {
 public:
  RowRing(const CorrelationPlan& plan, const float* x, float* buffer, const Unit& unit, const int32_t* table,
          int64_t span)
      : plan_(plan), x_(x + unit.input), buffer_(buffer), held_(static_cast<size_t>(plan.ring()), -1) {
    row_.end = x + plan.N * plan.in_rows * plan.in_columns * plan.in_channels;
    row_.pixel = plan.in_channels;
    row_.runs = plan.runs.data();
    row_.run_count = static_cast<int64_t>(plan.runs.size());
    row_.inputs = plan.inputs;
    row_.table = table;
    row_.span = span;
  }

  // The row that `tap` reads in image n.
  const float* row(int64_t n, const RowTap& tap) {
    const int64_t wanted = n * plan_.in_rows + tap.in_row;
    float* buffer = buffer_ + tap.slot * plan_.row_floats();
    int64_t& held = held_[static_cast<size_t>(tap.slot)];
    if (held != wanted) {
      row_.x = x_ + wanted * plan_.in_columns * plan_.in_channels;
      row_.out = buffer;
      if (plan_.wide) {
        gather_row(row_);
      } else {
        expand_row(row_);
      }
      held = wanted;
    }
    return buffer;
  }

 private:
  const CorrelationPlan& plan_;
  const float* x_;
  float* buffer_;
  std::vector<int64_t> held_;
  ExpandRow row_;
};

// The expansion tables of all units of a plan.
struct Tables {
  std::vector<int32_t> entries;
  std::vector<int64_t> spans;
  int64_t size;

  explicit Tables(const CorrelationPlan& plan) : size(plan.wide ? 0 : plan.inputs * plan.lanes) {
    entries.resize(plan.units.size() * static_cast<size_t>(size));
    for (size_t u = 0; u < plan.units.size(); ++u) {
      spans.push_back(size == 0 ? 0 : plan.expansion_table(plan.units[u], of(u)));
    }
  }
  int32_t* of(size_t unit) { return entries.data() + static_cast<int64_t>(unit) * size; }
};

int64_t range_start(int64_t n, int64_t parts, int64_t part) { return n / parts * part + std::min(part, n % parts); }

class Correlation {
 public:
  Correlation(Direction direction, const Conv2dSizes& sizes)
      : plan_(plan_correlation(direction, sizes)), tables_(plan_) {}

  void run(const float* x, const float* w, float* y, GroupConvScratch& scratch) {
    const int64_t units = static_cast<int64_t>(plan_.units.size()), rows = plan_.N * plan_.out_rows;
    if (rows == 0) return;
    const int64_t blocks = row_blocks(plan_);
    float* packed = scratch.weights.take<float>(static_cast<size_t>(units * plan_.unit_weights()));
    const int64_t ring_floats = plan_.ring() * plan_.row_floats();
    float* rings = scratch.rows.take<float>(static_cast<size_t>(parallel_threads() * ring_floats));
    std::fill_n(rings, parallel_threads() * ring_floats, 0.0f);
    constexpr int64_t kPackGrain = 1 << 14;  // weights: below this a team is slower than one thread
    parallel_ranges(units, kPackGrain / plan_.unit_weights() + 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; ++u) {
        plan_.pack_weights(plan_.units[static_cast<size_t>(u)], w, packed + u * plan_.unit_weights());
      }
    });
    parallel_tasks(blocks * units, [&](int64_t task, int thread) {
      const int64_t u = task % units, block = task / units;
      run_block(u, range_start(rows, blocks, block), range_start(rows, blocks, block + 1), x,
                packed + u * plan_.unit_weights(), y, rings + thread * ring_floats);
    });
  }

 private:
  void run_block(int64_t u, int64_t begin, int64_t end, const float* x, const float* packed, float* y, float* ring) {
    const Unit& unit = plan_.units[static_cast<size_t>(u)];
    RowRing rows(plan_, x, ring, unit, tables_.of(static_cast<size_t>(u)), tables_.spans[static_cast<size_t>(u)]);
    std::vector<const float*> inputs, phase_inputs, phase_weights;
    int64_t n = begin / plan_.out_rows, out_row = begin % plan_.out_rows;
    for (int64_t row = begin; row < end; ++row, ++out_row) {
      if (out_row == plan_.out_rows) {
        out_row = 0;
        ++n;
      }
      const RowTap* taps = plan_.taps_of(out_row);
      const size_t tap_count = static_cast<size_t>(plan_.taps_of(out_row + 1) - taps);
      inputs.clear();
      for (size_t i = 0; i < tap_count; ++i) inputs.push_back(rows.row(n, taps[i]));
      for (const Phase& phase : plan_.phases) {
        phase_inputs.clear();
        phase_weights.clear();
        const int64_t depth = static_cast<int64_t>(phase.kernel_column.size()) * plan_.inputs;
        for (size_t i = 0; i < tap_count && depth > 0; ++i) {
          phase_inputs.push_back(inputs[i] + phase.first_in * plan_.inputs * plan_.element);
          phase_weights.push_back(packed + (taps[i].kernel_row * plan_.S + phase.slot) * plan_.inputs * plan_.lanes);
        }
        correlate_row({.loader = plan_.wide ? Loader::kTuple1 : Loader::kVector,
                       .rows = static_cast<int64_t>(phase_inputs.size()),
                       .x = phase_inputs.data(),
                       .w = phase_weights.data(),
                       .depth = depth,
                       .element = plan_.element,
                       .step = phase.in_step * plan_.inputs * plan_.element,
                       .count = phase.count,
                       .y = y + (row * plan_.out_columns + phase.first_out) * plan_.out_channels + unit.channel,
                       .y_step = phase.out_step * plan_.out_channels,
                       .active = unit.active});
      }
    }
  }

  CorrelationPlan plan_;
  Tables tables_;
};

class WeightGradient {
 public:
  explicit WeightGradient(const Conv2dSizes& sizes)
      : plan_(plan_correlation(Direction::kForward, sizes)), tables_(plan_) {}

  void run(const float* dy, const float* x, float* dw, GroupConvScratch& scratch) {
    const int64_t units = static_cast<int64_t>(plan_.units.size()), rows = plan_.N * plan_.out_rows;
    const int64_t size = plan_.unit_weights();
    constexpr int64_t kMaxPartials = int64_t{1} << 23;  // floats, 32 MiB
    const int64_t blocks = std::max<int64_t>(1, std::min(row_blocks(plan_), kMaxPartials / (units * size)));
    float* partials = scratch.partials.take<float>(static_cast<size_t>(blocks * units * size));
    const int64_t ring_floats = plan_.ring() * plan_.row_floats(), dy_floats = plan_.out_columns * plan_.lanes;
    float* buffers = scratch.rows.take<float>(static_cast<size_t>(parallel_threads() * (ring_floats + dy_floats)));
    std::fill_n(buffers, parallel_threads() * (ring_floats + dy_floats), 0.0f);
    parallel_tasks(blocks * units, [&](int64_t task, int thread) {
      const int64_t u = task % units, block = task / units;
      float* sums = partials + task * size;
      std::fill_n(sums, size, 0.0f);
      float* buffer = buffers + thread * (ring_floats + dy_floats);
      run_block(u, range_start(rows, blocks, block), range_start(rows, blocks, block + 1), dy, x, sums, buffer,
                buffer + ring_floats);
    });
    constexpr int64_t kReduceGrain = 1 << 14;
    parallel_ranges(units, kReduceGrain / (size * blocks) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; ++u) reduce(u, blocks, partials, dw);
    });
  }

 private:
  void run_block(int64_t u, int64_t begin, int64_t end, const float* dy, const float* x, float* sums, float* ring,
                 float* dy_row) {
    const Unit& unit = plan_.units[static_cast<size_t>(u)];
    RowRing rows(plan_, x, ring, unit, tables_.of(static_cast<size_t>(u)), tables_.spans[static_cast<size_t>(u)]);
    int64_t n = begin / plan_.out_rows, out_row = begin % plan_.out_rows;
    for (int64_t row = begin; row < end; ++row, ++out_row) {
      if (out_row == plan_.out_rows) {
        out_row = 0;
        ++n;
      }
      pack_row(dy + row * plan_.out_columns * plan_.out_channels + unit.channel, plan_.out_channels, plan_.out_columns,
               unit.active, dy_row);
      for (const RowTap* tap = plan_.taps_of(out_row); tap < plan_.taps_of(out_row + 1); ++tap) {
        weight_gradient_row({.loader = plan_.wide ? Loader::kTuple1 : Loader::kVector,
                             .x = rows.row(n, *tap),
                             .depth = plan_.S * plan_.inputs,
                             .element = plan_.element,
                             .step = plan_.phases[0].in_step * plan_.inputs * plan_.element,
                             .count = plan_.out_columns,
                             .dy = dy_row,
                             .dw = sums + tap->kernel_row * plan_.S * plan_.inputs * plan_.lanes});
      }
    }
  }

  // Adds the partial sums of a unit in the order of the blocks, and puts them where dw has them.
  void reduce(int64_t u, int64_t blocks, float* partials, float* dw) const {
    const Unit& unit = plan_.units[static_cast<size_t>(u)];
    const int64_t units = static_cast<int64_t>(plan_.units.size()), size = plan_.unit_weights();
    float* sums = partials + u * size;
    for (int64_t block = 1; block < blocks; ++block) {
      const float* more = partials + (block * units + u) * size;
      for (int64_t i = 0; i < size; ++i) sums[i] += more[i];
    }
    const int64_t taps = plan_.R * plan_.S * plan_.inputs;  // = the weights of one output channel
    for (int64_t i = 0; i < unit.active; ++i) {
      for (int64_t tap = 0; tap < taps; ++tap) dw[(unit.channel + i) * taps + tap] = sums[tap * plan_.lanes + i];
    }
  }

  CorrelationPlan plan_;
  Tables tables_;
};

}  // namespace

void group_conv_forward(const Conv2dSizes& z, const float* x, const float* w, float* y, GroupConvScratch& scratch) {
  Correlation(Direction::kForward, z).run(x, w, y, scratch);
}

void group_conv_backward_input(const Conv2dSizes& z, const float* dy, const float* w, float* dx,
                               GroupConvScratch& scratch) {
  Correlation(Direction::kBackwardInput, z).run(dy, w, dx, scratch);
}

void group_conv_backward_weight(const Conv2dSizes& z, const float* dy, const float* x, float* dw,
                                GroupConvScratch& scratch) {
  WeightGradient(z).run(dy, x, dw, scratch);
}

}  // namespace igcnet
