// igcnet_peak: what this machine can do at most, as one line of JSON. Argument: the number of threads.
//   gflops: fused multiply-adds on registers, each two operations, in the instruction set that our kernels have here
//   gbps: copying between arrays that no cache holds, bytes read and bytes written
// The best of several runs. Checked by running it: npm run bench:kernels prints it.
#include <omp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>

#ifndef IGCNET_PEAK_CHAINS
#define IGCNET_PEAK_CHAINS
namespace igcnet {
constexpr int kChains = 12;
}
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "peak.cc"
#include "cpu/simd.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace igcnet {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// `steps` times 12 fused multiply-adds that do not wait for each other: more than latency times units of any machine.
// Gives their number of floating operations. Each chain has a start of its own in `sink`, which the compiler does not
// know: it would make one chain of equal ones. The ends go back there, so that none is left out.
double MultiplyAdd(int64_t steps, float* sink) {
  const hn::ScalableTag<float> d;
  const auto scale = hn::Set(d, 0.999f), offset = hn::Set(d, 0.001f);
  const auto start = [&](int chain) HWY_ATTR { return hn::Set(d, sink[chain]); };
  auto a0 = start(0), a1 = start(1), a2 = start(2), a3 = start(3), a4 = start(4), a5 = start(5);
  auto b0 = start(6), b1 = start(7), b2 = start(8), b3 = start(9), b4 = start(10), b5 = start(11);
  for (int64_t i = 0; i < steps; ++i) {
    a0 = hn::MulAdd(a0, scale, offset);
    a1 = hn::MulAdd(a1, scale, offset);
    a2 = hn::MulAdd(a2, scale, offset);
    a3 = hn::MulAdd(a3, scale, offset);
    a4 = hn::MulAdd(a4, scale, offset);
    a5 = hn::MulAdd(a5, scale, offset);
    b0 = hn::MulAdd(b0, scale, offset);
    b1 = hn::MulAdd(b1, scale, offset);
    b2 = hn::MulAdd(b2, scale, offset);
    b3 = hn::MulAdd(b3, scale, offset);
    b4 = hn::MulAdd(b4, scale, offset);
    b5 = hn::MulAdd(b5, scale, offset);
  }
  int chain = 0;
  for (const auto& end : {a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5}) sink[chain++] = hn::GetLane(end);
  return kChains * 2.0 * static_cast<double>(steps) * static_cast<double>(hn::Lanes(d));
}

}  // namespace HWY_NAMESPACE
}  // namespace igcnet
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace igcnet {
namespace {

HWY_EXPORT(MultiplyAdd);

constexpr int kRuns = 9;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double peak_gflops(float* sink) {
  constexpr int64_t kSteps = 20'000'000;
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    double flops = 0;
    float total = 0;
    const double seconds = seconds_of([&] {
#pragma omp parallel reduction(+ : flops, total)
      {
        float chains[kChains];
        for (int i = 0; i < kChains; ++i) chains[i] = static_cast<float>(i + run) / kChains;
        flops += HWY_DYNAMIC_DISPATCH(MultiplyAdd)(kSteps, chains);
        for (const float end : chains) total += end;
      }
    });
    *sink += total;
    best = std::max(best, flops / seconds / 1e9);
  }
  return best;
}

double peak_gbps(float* sink) {
  constexpr int64_t kFloats = int64_t{1} << 26;  // 256 MiB an array
  const std::unique_ptr<float[]> from(new float[kFloats]), to(new float[kFloats]);
  double best = 0;
  for (int run = 0; run < kRuns + 1; ++run) {
    const double seconds = seconds_of([&] {
#pragma omp parallel
      {
        const int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
        const int64_t begin = kFloats * thread / team, end = kFloats * (thread + 1) / team;
        if (run == 0) {  // each thread touches its part first
          std::fill(from.get() + begin, from.get() + end, 1.0f);
          std::fill(to.get() + begin, to.get() + end, 0.0f);
        } else {
          std::memcpy(to.get() + begin, from.get() + begin, static_cast<size_t>(end - begin) * sizeof(float));
        }
      }
    });
    *sink += to[static_cast<size_t>(run)];
    if (run > 0) best = std::max(best, 2.0 * static_cast<double>(kFloats) * sizeof(float) / seconds / 1e9);
  }
  return best;
}

int measure(int argc, char** argv) {
  int threads = 0;
  const std::string_view text = argc == 2 ? argv[1] : "";
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (status != std::errc() || end != text.data() + text.size() || threads < 1) {
    std::fprintf(stderr, "igcnet_peak: expected a number of threads\n");
    return 2;
  }
  omp_set_num_threads(threads);
  float sink = 0;
  const double gflops = peak_gflops(&sink), gbps = peak_gbps(&sink);
  std::printf("{\"threads\":%d,\"gflops\":%.1f,\"gbps\":%.1f}\n", threads, gflops, gbps);
  return sink == -1.0f ? 3 : 0;  // never; but the compiler cannot know
}

}  // namespace
}  // namespace igcnet

int main(int argc, char** argv) { return igcnet::measure(argc, argv); }
#endif  // HWY_ONCE
