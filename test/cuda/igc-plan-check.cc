// Prints the tiles that native/cuda/igc_plan.cu takes for blocks of plain_igc L24M2 at batch 64 on a GPU with 132
// multiprocessors, for igc-plan.test.ts: a line a stage, of forward, weights and input.
#include <cstdio>

#include "cuda/igc_tile.h"

using namespace igcnet;
using namespace igcnet::simt;

int main() {
  constexpr int kBatch = 64, kL = 24, kMultiprocessors = 132;
  constexpr size_t kSharedBytes = size_t{227} << 10;
  for (int stage = 0; stage < 3; ++stage) {
    const int M = 2 << stage, size = 32 >> stage;
    IgcBlockParams p;
    p.primary_partitions = kL, p.secondary_partitions = M, p.stride = 1, p.padding = 1;
    Conv2dSizes z;
    z.N = kBatch, z.H = z.W = z.P = z.Q = size, z.C = z.K = kL * M, z.R = z.S = 3, z.G = kL;
    z.stride = z.padding = 1;
    IgcPlan plan;
    if (!plan_igc_block(p, z, {kSharedBytes, kMultiprocessors}, plan)) return 1;
    for (const TileConv* t : {&plan.forward, &plan.weight, &plan.back}) std::printf("%d x %d, ", t->tile_h, t->tile_w());
    std::printf("%d threads, %s\n", plan.forward.threads, plan.direct ? "direct" : "packed");
  }
}
