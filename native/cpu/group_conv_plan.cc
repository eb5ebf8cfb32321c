// Phases: backwards, dx[w] takes dy[q] * w[s] where w + padding - s = q * stride, so w and s have the same remainder
// (shifted by the padding). For the columns w = first + t * stride the taps s_max, s_max - stride, .. meet the
// columns q, q + 1, .. which lie side by side.
#include "cpu/group_conv_plan.h"

#include <algorithm>
#include <bit>

#include "cpu/row_kernels.h"

namespace igcnet {
namespace {

// The run of columns [first, first + count) of the padded image, bound for `buffer`, as far as it is inside.
void add_run(CorrelationPlan& plan, int64_t buffer, int64_t first, int64_t count) {
  const int64_t begin = std::max<int64_t>(first, 0), end = std::min(first + count, plan.in_columns);
  if (begin < end) plan.runs.push_back({buffer + begin - first, begin, end - begin});
}

void plan_forward_columns(CorrelationPlan& plan) {
  // Columns that no tap reads (stride > S) are left out of the buffer.
  const int64_t step = std::min(plan.stride, plan.S);
  Phase phase{0, 1, plan.out_columns, 0, step, 0, {}};
  for (int64_t s = 0; s < plan.S; ++s) phase.kernel_column.push_back(s);
  plan.phases.push_back(std::move(phase));
  plan.width = (plan.out_columns - 1) * step + plan.S;
  if (step == plan.stride) return add_run(plan, 0, -plan.padding, plan.width);
  for (int64_t q = 0; q < plan.out_columns; ++q) add_run(plan, q * plan.S, q * plan.stride - plan.padding, plan.S);
}

void plan_backward_columns(CorrelationPlan& plan) {
  int64_t slot = 0, lowest = 0, highest = -1;  // the buffer's columns of dy
  for (int64_t first = 0; first < std::min(plan.stride, plan.out_columns); ++first) {
    const int64_t count = (plan.out_columns - first + plan.stride - 1) / plan.stride;
    Phase phase{first, plan.stride, count, 0, 1, slot, {}};
    for (int64_t s = plan.S - 1; s >= 0; --s) {
      if ((first + plan.padding - s) % plan.stride == 0) phase.kernel_column.push_back(s);
    }
    const int64_t taps = static_cast<int64_t>(phase.kernel_column.size());
    if (taps > 0) {
      phase.first_in = (first + plan.padding - phase.kernel_column[0]) / plan.stride;
      const int64_t last = phase.first_in + count - 1 + taps - 1;
      lowest = slot == 0 ? phase.first_in : std::min(lowest, phase.first_in);
      highest = slot == 0 ? last : std::max(highest, last);
    }
    slot += taps;
    plan.phases.push_back(std::move(phase));
  }
  plan.width = highest - lowest + 1;
  add_run(plan, 0, lowest, plan.width);
  for (Phase& phase : plan.phases) phase.first_in -= lowest;
}

void plan_rows(CorrelationPlan& plan) {
  for (int64_t row = 0; row < plan.out_rows; ++row) {
    plan.first_tap.push_back(static_cast<int64_t>(plan.taps.size()));
    for (int64_t r = 0; r < plan.R; ++r) {
      if (plan.direction == Direction::kForward) {
        const int64_t in_row = row * plan.stride + r - plan.padding;
        if (in_row >= 0 && in_row < plan.in_rows) plan.taps.push_back({in_row, r});
      } else {
        const int64_t scaled = row + plan.padding - r, in_row = scaled / plan.stride;
        if (scaled >= 0 && scaled % plan.stride == 0 && in_row < plan.in_rows) plan.taps.push_back({in_row, r});
      }
    }
  }
  plan.first_tap.push_back(static_cast<int64_t>(plan.taps.size()));
}

void plan_units(CorrelationPlan& plan) {
  const int64_t lanes = plan.lanes;
  if (plan.way == Way::kRotate) {
    const int64_t step = lanes / plan.M * plan.M;  // whole groups
    const int64_t channels = plan.out_channels / plan.output_halves;
    for (int64_t c = 0; c < channels; c += step) {
      const int64_t slab = static_cast<int64_t>(plan.units.size());
      plan.units.push_back({c * plan.output_halves, std::min(step, channels - c), c * plan.input_halves, slab});
    }
    plan.slabs = static_cast<int64_t>(plan.units.size());
    return;
  }
  const bool wide = plan.way == Way::kWide;
  const int64_t step = plan.unit_lanes(), section = wide ? plan.outputs : plan.out_channels;
  for (int64_t k = 0; k < plan.out_channels; k += section) {
    for (int64_t i = 0; i < section; i += step) {
      const int64_t group = (k + i) / plan.outputs;
      const int64_t slab = wide ? group : static_cast<int64_t>(plan.units.size());
      plan.units.push_back({k + i, std::min(step, section - i), group * plan.inputs, slab});
    }
  }
  plan.slabs = plan.units.back().slab + 1;
}

// Where turn j takes place i of a tuple of M. Where M is a power of 2 a turn is its own inverse, and changes places
// within pairs, fours and so on: shuffles that cost less than a rotation does.
int64_t turned_place(int64_t i, int64_t j, int64_t M) {
  return std::has_single_bit(static_cast<uint64_t>(M)) ? i ^ j : (i + j) % M;
}

// Turning the tuples by j, and back; splitting groups into halves, and joining them.
void plan_rotations(CorrelationPlan& plan) {
  const int64_t M = plan.M, whole = plan.lanes / M * M;
  plan.rotation.resize(static_cast<size_t>(M * plan.lanes));
  plan.inverse_rotation.resize(plan.rotation.size());
  for (int64_t j = 0; j < M; ++j) {
    for (int64_t i = 0; i < plan.lanes; ++i) {
      const int64_t to = i < whole ? i / M * M + turned_place(i % M, j, M) : i;
      plan.rotation[static_cast<size_t>(j * plan.lanes + to)] = static_cast<int32_t>(i);
      plan.inverse_rotation[static_cast<size_t>(j * plan.lanes + i)] = static_cast<int32_t>(to);
    }
  }
  if (plan.inputs == plan.outputs) return;
  for (int64_t half = 0; half < 2; ++half) {
    for (int64_t i = 0; i < plan.lanes; ++i) {
      const int64_t lane = std::min(i, whole - 1), channel = std::min(half * plan.lanes + i, 2 * whole - 1);
      const int64_t in_group = channel % (2 * M);
      plan.split.push_back(static_cast<int32_t>(lane / M * 2 * M + half * M + lane % M));
      plan.join.push_back(static_cast<int32_t>(in_group / M * plan.lanes + channel / (2 * M) * M + in_group % M));
    }
  }
}

// Lane i of expanded input j is input j of the group of channel i.
void plan_tables(CorrelationPlan& plan) {
  for (const Unit& unit : plan.units) {
    int64_t largest = 0;
    for (int64_t j = 0; j < plan.inputs; ++j) {
      for (int64_t i = 0; i < plan.lanes; ++i) {
        const int64_t channel = unit.channel + std::min(i, unit.active - 1);
        const int64_t entry = channel / plan.outputs * plan.inputs + j - unit.input;
        plan.tables.push_back(static_cast<int32_t>(entry));
        largest = std::max(largest, entry);
      }
    }
    plan.spans.push_back(largest + 1);
  }
}

}  // namespace

CorrelationPlan plan_correlation(Direction direction, const Conv2dSizes& z) {
  const bool forward = direction == Direction::kForward;
  CorrelationPlan plan{};
  plan.direction = direction;
  plan.N = z.N;
  plan.in_rows = forward ? z.H : z.P;
  plan.in_columns = forward ? z.W : z.Q;
  plan.in_channels = forward ? z.C : z.K;
  plan.out_rows = forward ? z.P : z.H;
  plan.out_columns = forward ? z.Q : z.W;
  plan.out_channels = forward ? z.K : z.C;
  plan.R = z.R;
  plan.S = z.S;
  plan.stride = z.stride;
  plan.padding = z.padding;
  plan.inputs = plan.in_channels / z.G;
  plan.outputs = plan.out_channels / z.G;
  plan.lanes = simd_lanes();
  constexpr int64_t kMaxNarrowInputs = 16;  // the expanded rows of a vector then still fit in the L2 cache
  plan.vectors = 1;
  const auto [fewer, more] = std::minmax(plan.inputs, plan.outputs);
  if (plan.is_3x3() && fewer == plan.lanes && more == plan.lanes) {
    plan.way = Way::kRepeat;
    plan.column = plan.lanes;
  } else if ((more == fewer || more == 2 * fewer) && fewer < plan.lanes) {
    plan.way = Way::kRotate;
    plan.M = fewer;
    plan.input_halves = plan.inputs / fewer;
    plan.output_halves = plan.vectors = plan.outputs / fewer;
    plan.column = plan.input_halves * plan.lanes;
  } else if (plan.outputs >= plan.lanes || plan.inputs > kMaxNarrowInputs) {
    plan.way = Way::kWide;
    plan.vectors = plan.outputs % (2 * plan.lanes) == 0 ? 2 : plan.outputs % (3 * plan.lanes) == 0 ? 3 : 1;
    plan.element = 1;
    plan.column = plan.inputs;
  } else {
    plan.way = Way::kExpand;
    plan.element = plan.lanes;
    plan.column = plan.inputs * plan.lanes;
  }
  if (plan.takes_rows()) {
    plan.pair_outputs = most_pair_outputs_3x3(plan.inputs);
    plan.pair_gradients = takes_gradient_pairs_3x3(plan.inputs);
  }
  if (forward) {
    plan_forward_columns(plan);
  } else {
    plan_backward_columns(plan);
  }
  plan_rows(plan);
  plan_units(plan);
  if (plan.way == Way::kExpand) plan_tables(plan);
  if (plan.way == Way::kRotate) plan_rotations(plan);
  plan.plan_order();
  return plan;
}

int64_t CorrelationPlan::most_rows_under(int64_t count) const {
  int64_t most = 1;
  for (int64_t begin = 0; begin < out_rows; ++begin) {
    int64_t low = in_rows, high = -1;
    for (const RowTap* tap = taps_of(begin); tap < taps_of(std::min(begin + count, out_rows)); ++tap) {
      low = std::min(low, tap->in_row);
      high = std::max(high, tap->in_row);
    }
    most = std::max(most, high - low + 1);
  }
  return most;
}

int64_t CorrelationPlan::first_weight(int64_t k) const {
  const int64_t in_group = direction == Direction::kForward ? inputs : outputs, row = R * S * in_group;
  return direction == Direction::kForward ? k * row : k / outputs * inputs * row + k % outputs;
}

template <class Body>
void CorrelationPlan::for_each_weight(const Unit& unit, const Body& body) const {
  const bool forward = direction == Direction::kForward;
  // The weight of output channel k and input j of its group is at
  // w[first_weight(k) + j * input_step + (r * S + s) * in_group].
  const int64_t in_group = forward ? inputs : outputs;  // C/G
  const int64_t input_step = forward ? 1 : R * S * in_group;
  // The weights of all taps: of one pair of channels, at `from` in w and from `to` on, `step` apart, in the packed
  // ones.
  const auto for_each_tap = [&](int64_t from, int64_t to, int64_t step) {
    for (int64_t r = 0; r < R; ++r) {
      for (const Phase& phase : phases) {
        int64_t slot = r * S + phase.slot;
        for (const int64_t s : phase.kernel_column) body(from + (r * S + s) * in_group, to + slot++ * step);
      }
    }
  };
  if (way != Way::kRotate) {
    for (int64_t j = 0; j < inputs; ++j) {
      for (int64_t i = 0; i < unit.active; ++i) {
        for_each_tap(first_weight(unit.channel + i) + j * input_step, j * unit_lanes() + i, inputs * unit_lanes());
      }
    }
    return;
  }
  const int64_t first_group = unit.channel / outputs;
  for (int64_t half = 0; half < input_halves * output_halves; ++half) {
    const int64_t first_input = input_halves == 2 ? half * M : 0, first_output = output_halves == 2 ? half * M : 0;
    for (int64_t j = 0; j < M; ++j) {
      for (int64_t i = 0; i < unit.active; ++i) {
        const int64_t output = (first_group + i / M) * outputs + first_output + turned_place(i % M, j, M);
        for_each_tap(first_weight(output) + (first_input + i % M) * input_step, (half * R * S * M + j) * lanes + i,
                     M * lanes);
      }
    }
  }
}

void CorrelationPlan::plan_order() {
  constexpr int64_t kLongest = 1 << 16;
  if (way == Way::kExpand || unit_weights() > kLongest || unit_weights() * outputs > INT32_MAX) return;
  order.assign(static_cast<size_t>(unit_weights()), -1);
  for_each_weight(units[0],
                  [&](int64_t from, int64_t to) { order[static_cast<size_t>(to)] = static_cast<int32_t>(from); });
}

void CorrelationPlan::pack_weights(const Unit& unit, const float* w, float* packed) const {
  if (has_order(unit)) {
    const float* first = w + first_weight(unit.channel);
    for (const int32_t place : order) *packed++ = place < 0 ? 0.0f : first[place];
    return;
  }
  if (unit.active < unit_lanes()) std::fill_n(packed, unit_weights(), 0.0f);
  for_each_weight(unit, [&](int64_t from, int64_t to) { packed[to] = w[from]; });
}

void CorrelationPlan::unpack_gradient(const Unit& unit, const float* sums, float* dw) const {
  if (has_order(unit)) {
    float* first = dw + first_weight(unit.channel);
    for (const int32_t place : order) {
      if (place >= 0) first[place] = *sums;
      ++sums;
    }
    return;
  }
  for_each_weight(unit, [&](int64_t from, int64_t to) { dw[from] = sums[to]; });
}

}  // namespace igcnet
