// The loops of the IGC blocks by themselves, on one thread and one chunk of rows that stays in the caches: what a block
// could reach if nothing else cost time. Their results are checked through conv2d and igc_block.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cpu/group_conv_plan.h"
#include "cpu/igc_secondary.h"
#include "cpu/row_kernels.h"
#include "cpu/unit_rows.h"
#include "inputs.h"
#include "workload.h"

namespace igcnet::bench {
namespace {

// A chunk of pairs of rows, of about 64 pixels, of a stage of plain_igc L24M2, of the first one of L4M8, or of a stage
// of IGC-L100M2 on ImageNet, whose layers have L*M channels and images of size x size.
struct Stage {
  int64_t L, M, size;

  int64_t channels() const { return L * M; }
  int64_t rows() const { return std::max<int64_t>(2, std::min(size, 64 / size) / 2 * 2); }
  int64_t pixels() const { return rows() * size; }
};

constexpr Stage kStages[] = {{24, 2, 32},  {24, 4, 16},  {24, 8, 8},   {4, 8, 32},
                             {100, 2, 56}, {200, 2, 28}, {400, 2, 14}, {800, 2, 7}};

void count(benchmark::State& state, double multiply_adds) {
  state.counters["FLOP/s"] = benchmark::Counter(2 * multiply_adds, benchmark::Counter::kIsIterationInvariantRate);
}

float* floats(HostTensor& tensor) { return static_cast<Output>(tensor).as<float>(); }

// `lines`: cache lines that the loop asks for at each of its shares, of more memory than the caches hold.
void primary(benchmark::State& state, const Stage& stage, bool gradient, int64_t lines = 0) {
  const int64_t M = stage.M, K = stage.channels(), Q = stage.size, rows = stage.rows();
  const Conv2dSizes sizes{
      .N = 1, .H = Q, .W = Q, .C = K, .K = K, .R = 3, .S = 3, .G = stage.L, .P = Q, .Q = Q, .stride = 1, .padding = 1};
  const CorrelationPlan plan = plan_correlation(Direction::kForward, sizes);
  if (!plan.takes_rows()) return state.SkipWithError("these groups take other loops on this machine");
  const int64_t slab = plan.slab_floats(), units = static_cast<int64_t>(plan.units.size());
  HostTensor x({rows + 2, units * slab}), weights({plan.packed_floats()}), y({rows * Q * K + plan.lanes});
  std::vector<const float*> pointers;
  for (int64_t r = 0; r < rows + 2; ++r) pointers.push_back(floats(x) + r * units * slab);
  constexpr int64_t kLine = 16, kFar = int64_t{1} << 26;  // floats
  const int64_t shares = correlate_shares(plan, rows), asked = shares * lines * kLine;
  HostTensor far({lines == 0 ? 1 : kFar});
  int64_t from = 0;
  for (auto _ : state) {
    Prefetch ahead(shares);
    ahead.add(floats(far) + from, {0, asked});
    from = from + 2 * asked > kFar ? 0 : from + asked;
    for (int64_t u = 0; u < units; ++u) {
      const Unit& unit = plan.units[static_cast<size_t>(u)];
      float* unit_weights = floats(weights) + u * plan.packed_unit();
      const int64_t kernel_row = plan.unit_weights() / 3;
      if (gradient) {
        rotate_gradient_3x3({.M = M,
                             .rows = rows,
                             .x = pointers.data(),
                             .offset = u * slab,
                             .dw = {unit_weights, unit_weights + kernel_row, unit_weights + 2 * kernel_row},
                             .count = Q,
                             .dy = floats(y) + unit.channel,
                             .dy_row = Q * K,
                             .dy_step = K,
                             .rotation = plan.inverse_rotation.data(),
                             .pairs = plan.pair_gradients});
      } else {
        rotate_3x3({.M = M,
                    .rows = rows,
                    .x = pointers.data(),
                    .offset = u * slab,
                    .w = {unit_weights, unit_weights + kernel_row, unit_weights + 2 * kernel_row},
                    .pair_w = plan.takes_pairs() ? unit_weights + plan.unit_weights() : nullptr,
                    .count = Q,
                    .y = floats(y) + unit.channel,
                    .y_row = Q * K,
                    .y_step = K,
                    .active = unit.active,
                    .rotation = plan.rotation.data(),
                    .ahead = &ahead});
      }
    }
    benchmark::ClobberMemory();
  }
  count(state, static_cast<double>(stage.pixels() * K * 9 * M));
}

void secondary(benchmark::State& state, const Stage& stage, bool gradient) {
  const int64_t K = stage.channels(), pixels = stage.pixels();
  const IgcSecondary convolution(stage.L, stage.M);
  HostTensor z({pixels * K + 64}), y({pixels * K + 64}), weights({convolution.packed_floats()});
  HostTensor tuples({convolution.buffer_floats(pixels) + 1});
  for (auto _ : state) {
    if (gradient) {
      convolution.add_gradient(floats(y), floats(z), pixels, floats(weights), floats(tuples), nullptr);
    } else {
      convolution.run(floats(z), pixels, floats(weights), floats(y), floats(tuples), nullptr);
    }
    benchmark::ClobberMemory();
  }
  count(state, static_cast<double>(pixels * K * stage.L));
}

}  // namespace

void add_loops() {
  for (const Stage& stage : kStages) {
    for (const bool gradient : {false, true}) {
      const std::string name =
          std::string(gradient ? "_gradient" : "") + "/L" + std::to_string(stage.L) + "M" + std::to_string(stage.M);
      benchmark::RegisterBenchmark(("loop_primary" + name).c_str(),
                                   [=](benchmark::State& state) { primary(state, stage, gradient); });
      benchmark::RegisterBenchmark(("loop_secondary" + name).c_str(),
                                   [=](benchmark::State& state) { secondary(state, stage, gradient); });
    }
  }
  for (const int64_t lines : {0, 2, 4, 6, 8, 12}) {
    benchmark::RegisterBenchmark(("loop_primary_asking/L24M2/lines:" + std::to_string(lines)).c_str(),
                                 [=](benchmark::State& state) { primary(state, kStages[0], false, lines); });
  }
}

}  // namespace igcnet::bench
