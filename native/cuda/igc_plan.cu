// The tiles of the fused igc_block kernels, and the packing of its weights. Checked through igc_block.
#include <algorithm>

#include "cuda/four.h"
#include "cuda/igc_tile.h"

namespace igcnet::simt {
namespace {

// What a multiprocessor has for blocks, on every GPU since sm_80 except for the shared memory, which is that of sm_90.
constexpr int64_t kSharedBytes = int64_t{228} << 10, kReservedBytes = 1024;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

void set_tile(TileConv& t, int tile_h, int log_w) {
  t.tile_h = tile_h, t.log_w = log_w;
  const int tile_w = t.tile_w();
  t.in_h = static_cast<int>(ceil_div((tile_h - 1) * t.stride + t.R, t.up));
  t.in_w = static_cast<int>(ceil_div((tile_w - 1) * t.stride + t.S, t.up));
  t.tiles_down = static_cast<int>(ceil_div(t.P, tile_h));
  t.tiles_across = static_cast<int>(ceil_div(t.Q, tile_w));
  t.tiles = t.N * t.tiles_down * t.tiles_across;
}

// What a kernel does with each tile: how often it convolves and mixes, whether some threads may mix eight channels, and
// sums that it adds up.
struct Work {
  int convolutions, mixings;
  bool eights;
  int64_t sums = 0;
};

// The threads of a block with which a tile costs least.
struct Threads {
  int count;
  double cost;  // multiply-adds of a tile, with those that threads could have done while others had one task more
};
Threads threads_for(const TileConv& t, const IgcPlan& plan, const Work& work) {
  const Mixing& mixing = plan.mixing;
  const int V = plan.V, strip = strip_rows(V, plan.sliding), rows = t.tile_h % strip == 0 ? strip : 1;
  const int64_t runs = t.pixels() / kRun, conv_tasks = t.K / V * runs / rows;
  const int64_t conv_task = int64_t{1} * t.R * t.S * t.in_group * V * rows;
  Threads best{};
  for (int threads = kMostThreads; threads >= 64; threads -= 32) {
    const int to = work.eights && mixes_eight(mixing, t.pixels(), threads) ? 8 : 4;
    const int64_t mix_tasks = mixing.padded_L / to * mixing.M * runs, mix_task = int64_t{1} * to * mixing.L;
    const int64_t rounds = work.convolutions * ceil_div(conv_tasks, threads) * conv_task +
                           work.mixings * ceil_div(mix_tasks, threads) * mix_task;
    const double cost = static_cast<double>(threads * rounds);
    if (threads == kMostThreads || cost < best.cost) best = {threads, cost};
  }
  return best;
}

int64_t blocks_at_once(const TileConv& t, size_t bytes) {
  return std::max<int64_t>(1, std::min<int64_t>(kSharedBytes / (static_cast<int64_t>(bytes) + kReservedBytes),
                                                kLeastBlocks * kMostThreads / t.threads));
}

// About how long all tiles take, in multiply-adds of one multiprocessor: what is loaded or added up costs as much as
// the arithmetic that could have been done meanwhile, as does each thread's way from step to step; few warps leave the
// multiprocessor waiting, and so does each round of blocks that begins with a load.
double cost_of(const TileConv& t, const Work& work, double arithmetic, size_t bytes, int multiprocessors) {
  constexpr double kLoad = 16, kThread = 1000, kBusyWarps = 12, kRound = 400'000;
  const double loads = static_cast<double>(t.in_h) * t.in_w * t.C + static_cast<double>(work.sums);
  const double tile = arithmetic + kLoad * loads + kThread * t.threads;
  const int64_t at_once = blocks_at_once(t, bytes);
  const int64_t each = ceil_div(t.tiles, multiprocessors), rest = each % at_once;
  const auto time = [&](int64_t blocks, int64_t together) {
    const double warps = static_cast<double>(together * t.threads / 32);
    return static_cast<double>(blocks) * tile * std::max(1.0, kBusyWarps / warps) +
           static_cast<double>(blocks / together) * kRound;
  };
  return time(each - rest, at_once) + (rest > 0 ? time(rest, rest) : 0.0);
}

// Takes the tile that costs least; false where none fits in shared memory.
bool choose_tile(TileConv& t, const IgcPlan& plan, const Work& work, size_t (*bytes_of)(const TileConv&),
                 const IgcMachine& machine) {
  constexpr int kMaxHeight = 16, kMaxPixels = 256;
  bool found = false;
  TileConv best;
  double least = 0;
  for (const int log_w : {3, 4, 5}) {
    for (int tile_h = 1; tile_h <= kMaxHeight && tile_h << log_w <= kMaxPixels; tile_h *= 2) {
      set_tile(t, tile_h, log_w);
      if (t.tile_w() % (kRun * t.up) != 0) continue;
      const Threads threads = threads_for(t, plan, work);
      t.threads = threads.count;
      if (bytes_of(t) > machine.max_shared_bytes) continue;
      const double cost = cost_of(t, work, threads.cost, bytes_of(t), machine.multiprocessors);
      if (!found || cost < least) best = t, least = cost;
      found = true;
    }
  }
  t = best;
  return found;
}

// In 32 bits, as plan_igc_block() sees to: 64-bit division is slow on a GPU.
__global__ void pack_kernel(IgcPlan plan, const float* primary, const float* secondary, PackedWeights packed,
                            unsigned primary_count, unsigned mix_count) {
  begin_early();
  const TileConv& t = plan.forward;
  const unsigned i = static_cast<unsigned>(global_thread()), K = static_cast<unsigned>(t.K);
  if (i < primary_count) {
    // (tap, c, k) of `primary`, (tap, ko, c) of `primary_back`
    const unsigned in_group = static_cast<unsigned>(t.in_group), out_group = static_cast<unsigned>(t.out_group);
    const unsigned C = static_cast<unsigned>(t.C), taps = static_cast<unsigned>(t.R * t.S);
    const unsigned row = i / K, k = i - row * K, tap = row / in_group, c = row - tap * in_group;
    packed.primary[i] = primary[(k * taps + tap) * in_group + c];
    const unsigned back_row = i / C, channel = i - back_row * C, back_tap = back_row / out_group;
    const unsigned ko = back_row - back_tap * out_group, group = channel / in_group;
    packed.primary_back[i] =
        primary[((group * out_group + ko) * taps + taps - 1 - back_tap) * in_group + channel - group * in_group];
    return;
  }
  const unsigned j = i - primary_count;
  if (j >= mix_count) return;
  const unsigned L = static_cast<unsigned>(plan.mixing.L), M = static_cast<unsigned>(plan.mixing.M);
  const unsigned padded_L = static_cast<unsigned>(plan.mixing.padded_L);
  const unsigned row = j / padded_L, to = j - row * padded_L, from = row / M, m = row - from * M;
  packed.mix[j] = to < L ? secondary[(m * L + to) * L + from] : 0.0F;
  packed.mix_back[j] = to < L ? secondary[(m * L + from) * L + to] : 0.0F;
}

int64_t mix_count(const IgcPlan& plan) {
  return static_cast<int64_t>(plan.mixing.L) * plan.mixing.M * plan.mixing.padded_L;
}
int64_t round_to_four(int64_t count) { return (count + 3) / 4 * 4; }

// Parts of a tile, at most `most`, that threads add up side by side, each a task of its own, with sums of `count`
// floats that fit in `room` together.
int slices_for(int64_t tasks, int64_t most, int64_t count, int64_t room, int threads) {
  return static_cast<int>(std::max<int64_t>(1, std::min({threads / tasks, most, room / count})));
}

}  // namespace

size_t forward_bytes(const TileConv& t) {
  return sizeof(float) * static_cast<size_t>(t.plane_floats() + std::max(t.in_floats(), t.plane_floats()));
}
size_t backward_weight_bytes(const TileConv& t) {
  return sizeof(float) * static_cast<size_t>(t.in_floats() + 2 * t.plane_floats());
}
size_t backward_input_bytes(const TileConv& t) {
  return sizeof(float) * static_cast<size_t>(t.plane_floats() + std::max(t.in_floats(), norm_sum_floats(t)));
}

bool plan_igc_block(const IgcBlockParams& p, const Conv2dSizes& z, const IgcMachine& machine, IgcPlan& plan) {
  constexpr int64_t kMaxSize = int64_t{1} << 20;  // of a side, a kernel, the channels: tiles count in 32 bits
  if (z.K != p.primary_partitions * p.secondary_partitions) return false;
  for (const int64_t size : {z.H, z.W, z.C, z.K, z.R, z.S, z.P, z.Q, z.stride, z.padding}) {
    if (size > kMaxSize) return false;
  }
  if (z.R * z.S * z.C / z.G * z.K > kMaxSize * 256 || p.primary_partitions * z.K > kMaxSize * 256 ||
      z.R * z.S * z.stride * z.stride * z.C > kMaxSize)
    return false;
  const auto narrow = [](int64_t value) { return static_cast<int>(value); };
  TileConv& t = plan.forward;
  t.N = z.N;
  t.H = narrow(z.H), t.W = narrow(z.W), t.C = narrow(z.C);
  t.P = narrow(z.P), t.Q = narrow(z.Q), t.K = narrow(z.K);
  t.R = narrow(z.R), t.S = narrow(z.S), t.stride = narrow(z.stride);
  t.top = t.left = narrow(z.padding);
  t.in_group = narrow(z.C / z.G), t.out_group = narrow(z.K / z.G);
  TileConv& b = plan.back;
  b = t;
  b.H = t.P, b.W = t.Q, b.C = t.K, b.P = t.H, b.Q = t.W, b.K = t.C;
  b.top = t.R - 1 - t.top, b.left = t.S - 1 - t.left;
  b.in_group = t.out_group, b.out_group = t.in_group;
  b.stride = 1, b.up = t.stride;
  plan.has_back = b.up == 1 || b.up == 2 || b.up == 4;
  plan.mixing = {narrow(p.primary_partitions), narrow(p.secondary_partitions),
                 narrow(round_to_four(p.primary_partitions))};
  const int common = t.in_group | t.out_group;  // the powers of two that divide both
  plan.V = common % 4 == 0 ? 4 : common % 2 == 0 ? 2 : 1;
  plan.sliding = t.R == 3 && t.S == 3 && t.stride == 1;
  plan.weight = t;
  const Work forward = {1, 1, true}, back = {1, 0, false};
  const Work weight = {2, 2, false, plan.primary_count() + plan.secondary_count()};
  if (!choose_tile(plan.forward, plan, forward, forward_bytes, machine) ||
      !choose_tile(plan.weight, plan, weight, backward_weight_bytes, machine) ||
      (plan.has_back && !choose_tile(plan.back, plan, back, backward_input_bytes, machine))) {
    return false;
  }
  constexpr int64_t kMaxOffset = int64_t{1} << 30;  // in a tile, and of tiles: both count in 32 bits
  for (const TileConv* tile : {&plan.forward, &plan.weight, &plan.back}) {
    if (tile->tiles > kMaxOffset) return false;
    if (int64_t{1} * (tile->in_h + 1) * (tile->W + 1) * tile->C > kMaxOffset) return false;
    if (int64_t{1} * (tile->tile_h + 1) * (tile->Q + 1) * tile->K > kMaxOffset) return false;
  }
  const TileConv& w = plan.weight;
  // Threads keep their channels, and so their weights, which are all of a group's; those of mixing are read four at a
  // time.
  const TileConv& f = plan.forward;
  plan.direct = plan.sliding && plan.V <= 2 && f.in_group == plan.V && f.out_group == plan.V &&
                plan.mixing.L % 4 == 0 && f.threads % (f.K / plan.V) == 0 && f.tile_h % strip_rows(plan.V, true) == 0 &&
                f.pixels() >= 64 && plan.primary_count() <= f.plane_floats();
  plan.weight_blocks = std::min(w.tiles, machine.multiprocessors * blocks_at_once(w, backward_weight_bytes(w)));
  const int64_t quads = plan.mixing.padded_L / 4, parts = w.pixels() / kQuad;
  const int64_t room = static_cast<int64_t>(backward_weight_bytes(w) / sizeof(float));
  plan.primary_slices = slices_for(primary_tasks(plan), parts, plan.primary_count(), room, w.threads);
  plan.secondary_slices =
      slices_for(quads * quads * plan.mixing.M, parts, plan.secondary_count(), w.plane_floats(), w.threads);
  return true;
}

size_t packed_floats(const IgcPlan& plan) {
  return static_cast<size_t>(2 * round_to_four(plan.primary_count()) + 2 * mix_count(plan));
}

PackedWeights pack_weights(Stream stream, const IgcPlan& plan, const float* primary, const float* secondary,
                           float* memory) {
  const int64_t taps = plan.primary_count(), step = round_to_four(taps), mixes = mix_count(plan);
  const PackedWeights packed = {memory, memory + 2 * step, memory + step, memory + 2 * step + mixes};
  launch_early(independent(taps + mixes), stream, pack_kernel, plan, primary, secondary, packed,
               static_cast<unsigned>(taps), static_cast<unsigned>(mixes));
  return packed;
}

}  // namespace igcnet::simt
