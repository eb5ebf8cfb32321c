// The loops over rows around row_kernels.h. A task is a block of rows of the batch and a group of vectors of output
// channels (units); for each unit it keeps the input rows that are still needed in a ring of row buffers.
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

  const float* row(int64_t n, int64_t in_row) {
    const int64_t wanted = n * plan_.in_rows + in_row, slot = in_row % plan_.ring();
    float* buffer = buffer_ + slot * plan_.row_floats();
    if (held_[static_cast<size_t>(slot)] != wanted) {
      row_.x = x_ + wanted * plan_.in_columns * plan_.in_channels;
      row_.out = buffer;
      if (plan_.wide) {
        gather_row(row_);
      } else {
        expand_row(row_);
      }
      held_[static_cast<size_t>(slot)] = wanted;
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

// The rings of the units [begin, end), one behind the other in `buffer`.
std::vector<RowRing> make_rings(const CorrelationPlan& plan, Tables& tables, const float* x, float* buffer,
                                int64_t begin, int64_t end) {
  std::vector<RowRing> rings;
  rings.reserve(static_cast<size_t>(end - begin));
  for (int64_t u = begin; u < end; ++u) {
    const size_t unit = static_cast<size_t>(u);
    rings.emplace_back(plan, x, buffer + (u - begin) * plan.ring_floats(), plan.units[unit], tables.of(unit),
                       tables.spans[unit]);
  }
  return rings;
}

int64_t range_start(int64_t n, int64_t parts, int64_t part) { return n / parts * part + std::min(part, n % parts); }

// The rows [row_begin, row_end) of the batch and the units [unit_begin, unit_end).
struct Task {
  int64_t row_begin, row_end, unit_begin, unit_end;

  Task(const CorrelationPlan& plan, int64_t index) {
    const int64_t rows = plan.N * plan.out_rows, units = static_cast<int64_t>(plan.units.size());
    const int64_t block = index / plan.unit_groups, group = index % plan.unit_groups;
    row_begin = range_start(rows, plan.blocks, block);
    row_end = range_start(rows, plan.blocks, block + 1);
    unit_begin = range_start(units, plan.unit_groups, group);
    unit_end = range_start(units, plan.unit_groups, group + 1);
  }
};

class Correlation {
 public:
  Correlation(Direction direction, const Conv2dSizes& sizes)
      : plan_(plan_correlation(direction, sizes)), tables_(plan_) {}

  void run(const float* x, const float* w, float* y, GroupConvScratch& scratch) {
    const int64_t units = static_cast<int64_t>(plan_.units.size());
    if (plan_.N == 0) return;
    float* packed = scratch.weights.take<float>(static_cast<size_t>(units * plan_.unit_weights()));
    const int64_t thread_floats = (units / plan_.unit_groups + 1) * plan_.ring_floats();
    float* rings = scratch.rows.take<float>(static_cast<size_t>(parallel_threads() * thread_floats));
    std::fill_n(rings, parallel_threads() * thread_floats, 0.0f);
    constexpr int64_t kPackGrain = 1 << 14;  // weights: below this a team is slower than one thread
    parallel_ranges(units, kPackGrain / plan_.unit_weights() + 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; ++u) {
        plan_.pack_weights(plan_.units[static_cast<size_t>(u)], w, packed + u * plan_.unit_weights());
      }
    });
    parallel_tasks(plan_.blocks * plan_.unit_groups, [&](int64_t index, int thread) {
      const Task task(plan_, index);
      auto unit_rings = make_rings(plan_, tables_, x, rings + thread * thread_floats, task.unit_begin, task.unit_end);
      RowPointers pointers;
      for (int64_t row = task.row_begin; row < task.row_end; ++row) {
        for (int64_t u = task.unit_begin; u < task.unit_end; ++u) {
          run_row(row, plan_.units[static_cast<size_t>(u)], unit_rings[static_cast<size_t>(u - task.unit_begin)],
                  packed + u * plan_.unit_weights(), y, pointers);
        }
      }
    });
  }

 private:
  struct RowPointers {
    std::vector<const float*> ring, x, w;
  };

  void run_row(int64_t row, const Unit& unit, RowRing& ring, const float* packed, float* y,
               RowPointers& pointers) const {
    const size_t out_row = static_cast<size_t>(row % plan_.out_rows);
    const RowTap* taps = plan_.taps.data() + plan_.first_tap[out_row];
    const size_t tap_count = static_cast<size_t>(plan_.first_tap[out_row + 1] - plan_.first_tap[out_row]);
    pointers.ring.clear();
    for (size_t i = 0; i < tap_count; ++i) pointers.ring.push_back(ring.row(row / plan_.out_rows, taps[i].in_row));
    for (const Phase& phase : plan_.phases) {
      pointers.x.clear();
      pointers.w.clear();
      const int64_t depth = static_cast<int64_t>(phase.kernel_column.size()) * plan_.inputs;
      for (size_t i = 0; i < tap_count && depth > 0; ++i) {
        pointers.x.push_back(pointers.ring[i] + phase.first_in * plan_.inputs * plan_.element);
        pointers.w.push_back(packed + (taps[i].kernel_row * plan_.S + phase.slot) * plan_.inputs * plan_.lanes);
      }
      correlate_row({.loader = plan_.wide ? Loader::kTuple1 : Loader::kVector,
                     .rows = static_cast<int64_t>(pointers.x.size()),
                     .x = pointers.x.data(),
                     .w = pointers.w.data(),
                     .depth = depth,
                     .element = plan_.element,
                     .step = phase.in_step * plan_.inputs * plan_.element,
                     .count = phase.count,
                     .y = y + (row * plan_.out_columns + phase.first_out) * plan_.out_channels + unit.channel,
                     .y_step = phase.out_step * plan_.out_channels,
                     .active = unit.active});
    }
  }

  CorrelationPlan plan_;
  Tables tables_;
};

class WeightGradient {
 public:
  explicit WeightGradient(const Conv2dSizes& sizes)
      : plan_(plan_correlation(Direction::kForward, sizes)), tables_(plan_) {
    constexpr int64_t kMaxPartials = int64_t{1} << 23;  // floats, 32 MiB
    const int64_t sums = static_cast<int64_t>(plan_.units.size()) * plan_.unit_weights();
    plan_.blocks = std::clamp<int64_t>(kMaxPartials / sums, 1, plan_.blocks);
  }

  void run(const float* dy, const float* x, float* dw, GroupConvScratch& scratch) {
    const int64_t units = static_cast<int64_t>(plan_.units.size()), size = plan_.unit_weights();
    float* partials = scratch.partials.take<float>(static_cast<size_t>(plan_.blocks * units * size));
    const int64_t dy_floats = plan_.out_columns * plan_.lanes;
    const int64_t thread_floats = dy_floats + (units / plan_.unit_groups + 1) * plan_.ring_floats();
    float* buffers = scratch.rows.take<float>(static_cast<size_t>(parallel_threads() * thread_floats));
    std::fill_n(buffers, parallel_threads() * thread_floats, 0.0f);
    parallel_tasks(plan_.blocks * plan_.unit_groups, [&](int64_t index, int thread) {
      const Task task(plan_, index);
      float* sums = partials + (index / plan_.unit_groups) * units * size;
      std::fill(sums + task.unit_begin * size, sums + task.unit_end * size, 0.0f);
      float* dy_row = buffers + thread * thread_floats;
      auto rings = make_rings(plan_, tables_, x, dy_row + dy_floats, task.unit_begin, task.unit_end);
      for (int64_t row = task.row_begin; row < task.row_end; ++row) {
        for (int64_t u = task.unit_begin; u < task.unit_end; ++u) {
          add_row(row, plan_.units[static_cast<size_t>(u)], rings[static_cast<size_t>(u - task.unit_begin)], dy, dy_row,
                  sums + u * size);
        }
      }
    });
    constexpr int64_t kReduceGrain = 1 << 14;
    parallel_ranges(units, kReduceGrain / (size * plan_.blocks) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; ++u) reduce(u, partials, dw);
    });
  }

 private:
  void add_row(int64_t row, const Unit& unit, RowRing& ring, const float* dy, float* dy_row, float* sums) const {
    pack_row(dy + row * plan_.out_columns * plan_.out_channels + unit.channel, plan_.out_channels, plan_.out_columns,
             unit.active, dy_row);
    const size_t out_row = static_cast<size_t>(row % plan_.out_rows);
    for (int64_t i = plan_.first_tap[out_row]; i < plan_.first_tap[out_row + 1]; ++i) {
      const RowTap& tap = plan_.taps[static_cast<size_t>(i)];
      weight_gradient_row({.loader = plan_.wide ? Loader::kTuple1 : Loader::kVector,
                           .x = ring.row(row / plan_.out_rows, tap.in_row),
                           .depth = plan_.S * plan_.inputs,
                           .element = plan_.element,
                           .step = plan_.phases[0].in_step * plan_.inputs * plan_.element,
                           .count = plan_.out_columns,
                           .dy = dy_row,
                           .dw = sums + tap.kernel_row * plan_.S * plan_.inputs * plan_.lanes});
    }
  }

  // Adds the partial sums of a unit in the order of the blocks, and puts them where dw has them.
  void reduce(int64_t u, float* partials, float* dw) const {
    const Unit& unit = plan_.units[static_cast<size_t>(u)];
    const int64_t units = static_cast<int64_t>(plan_.units.size()), size = plan_.unit_weights();
    float* sums = partials + u * size;
    for (int64_t block = 1; block < plan_.blocks; ++block) {
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
