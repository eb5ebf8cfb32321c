// igcnet_bench: the kernels of `cpu` without Node, under Google Benchmark. Options are Google Benchmark's
// (--benchmark_filter=igc_block). Checked by running it: npm run bench:native.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "cpu/cpu.h"
#include "reference/reference.h"
#include "workload.h"

namespace igcnet::bench {

Backend& cpu() {
  static const std::unique_ptr<Backend> backend = make_cpu_backend();
  return *backend;
}

namespace {

constexpr double kTolerance = 1e-3;  // of the largest value

// The largest difference between `cpu` and `reference` at batch 1, relative to the largest value.
double reference_error(const Make& make) {
  const auto reference = make_reference_backend();
  const auto [expected, actual] = std::pair(make(1), make(1));
  expected->run(*reference);
  actual->run(cpu());
  double worst = 0;
  for (size_t i = 0; i < expected->outputs.size(); ++i) {
    const Input want = *expected->outputs[i], got = *actual->outputs[i];
    double largest = 0, difference = 0;
    for (int64_t j = 0; j < want.elements(); ++j) {
      const double a = want.as<float>()[j], b = got.as<float>()[j];
      largest = std::max(largest, std::abs(a));
      difference = std::isnan(b) ? INFINITY : std::max(difference, std::abs(a - b));
    }
    worst = std::max(worst, difference == 0 ? 0 : difference / largest);
  }
  return worst;
}

void run(benchmark::State& state, int64_t batch, const Make& make) {
  cpu().set_threads(static_cast<int>(state.range(0)));
  if (const double error = reference_error(make); !(error <= kTolerance)) {
    state.SkipWithError(("differs from reference by " + std::to_string(error)).c_str());
    return;
  }
  const auto workload = make(batch);
  workload->run(cpu());  // oneDNN makes its primitives
  for (auto _ : state) workload->run(cpu());
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(workload->flops, Counter::kIsIterationInvariantRate);
  state.counters["B/s"] = Counter(workload->bytes(), Counter::kIsIterationInvariantRate);
}

}  // namespace

void add_workload(const std::string& name, int64_t batch, const Make& make) {
  auto* added =
      benchmark::RegisterBenchmark(name.c_str(), [batch, make](benchmark::State& state) { run(state, batch, make); });
  added->ArgName("threads")->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(1);
  const int64_t cores = std::thread::hardware_concurrency();
  if (cores > 1) added->Arg(cores);
}

}  // namespace igcnet::bench

int main(int argc, char** argv) {
  igcnet::bench::add_conv2d();
  igcnet::bench::add_igc_block();
  igcnet::bench::add_batch_norm2d();
  igcnet::bench::add_elementwise();
  igcnet::bench::add_loops();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
