// The tiles of the fused igc_block kernels, and the packing of its weights. Checked through igc_block.
#include <algorithm>

#include "cuda/four.h"
#include "cuda/igc_tile.h"

namespace igcnet::simt {
namespace {

constexpr int kMaxTileHeight = 8;
constexpr size_t kTwoBlocks = size_t{110} << 10;  // shared memory that lets two blocks run on one multiprocessor

void set_tile(TileConv& t, int tile_h) {
  t.tile_h = tile_h;
  t.in_h = (tile_h - 1) * t.stride + t.R;
  t.in_w = (kRun - 1) * t.stride + t.S;
  t.tiles_down = (t.P + tile_h - 1) / tile_h;
  t.tiles_across = (t.Q + kRun - 1) / kRun;
  t.tiles = t.N * t.tiles_down * t.tiles_across;
}

int height_for(int rows) {
  int height = 1;
  while (height < rows && height < kMaxTileHeight) height *= 2;
  return height;
}

__global__ void pack_kernel(IgcPlan plan, const float* primary, const float* secondary, PackedWeights packed,
                            int64_t primary_count, int64_t mix_count) {
  const TileConv& t = plan.forward;
  const int64_t i = global_thread();
  if (i < primary_count) {
    // (r, s, c, k) of `primary`, (r, s, ko, c) of `primary_back`
    const int k = static_cast<int>(i % t.K), c = static_cast<int>(i / t.K % t.in_group);
    const int64_t tap = i / t.K / t.in_group, taps = static_cast<int64_t>(t.R) * t.S;
    packed.primary[i] = primary[(k * taps + tap) * t.in_group + c];
    const int channel = static_cast<int>(i % t.C), ko = static_cast<int>(i / t.C % t.out_group);
    const int64_t back_tap = i / t.C / t.out_group;
    const int64_t row = static_cast<int64_t>(channel / t.in_group) * t.out_group + ko;
    packed.primary_back[i] = primary[(row * taps + taps - 1 - back_tap) * t.in_group + channel % t.in_group];
    return;
  }
  const int64_t j = i - primary_count;
  if (j >= mix_count) return;
  const auto [L, M, padded_L] = plan.mixing;
  const int to = static_cast<int>(j % padded_L), m = static_cast<int>(j / padded_L % M),
            from = static_cast<int>(j / padded_L / M);
  packed.mix[j] = to < L ? secondary[(static_cast<int64_t>(m) * L + to) * L + from] : 0.0F;
  packed.mix_back[j] = to < L ? secondary[(static_cast<int64_t>(m) * L + from) * L + to] : 0.0F;
}

int64_t primary_count(const IgcPlan& plan) {
  const TileConv& t = plan.forward;
  return static_cast<int64_t>(t.R) * t.S * t.in_group * t.K;
}
int64_t mix_count(const IgcPlan& plan) {
  return static_cast<int64_t>(plan.mixing.L) * plan.mixing.M * plan.mixing.padded_L;
}
int64_t round_to_four(int64_t count) { return (count + 3) / 4 * 4; }

}  // namespace

size_t IgcPlan::forward_bytes() const {
  const int out = forward.out_floats(forward.K);
  return sizeof(float) * static_cast<size_t>(std::max(forward.in_floats(), out) + out);
}
size_t IgcPlan::backward_weight_bytes() const {
  return sizeof(float) * static_cast<size_t>(forward.in_floats() + 2 * forward.out_floats(forward.K));
}
size_t IgcPlan::backward_input_bytes() const {
  return sizeof(float) * static_cast<size_t>(back.in_floats() + back.out_floats(back.K));
}

bool plan_igc_block(const IgcBlockParams& p, const Conv2dSizes& z, size_t max_shared_bytes, IgcPlan& plan) {
  constexpr int64_t kMaxSize = int64_t{1} << 20;  // of a side, a kernel, the channels: tiles count in 32 bits
  if (z.K != p.primary_partitions * p.secondary_partitions) return false;
  for (const int64_t size : {z.H, z.W, z.C, z.K, z.R, z.S, z.P, z.Q, z.stride, z.padding}) {
    if (size > kMaxSize) return false;
  }
  if (z.R * z.S * z.C / z.G * z.K > kMaxSize * 256 || z.R * z.S * z.stride * z.stride * z.C > kMaxSize) return false;
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
  plan.mixing = {narrow(p.primary_partitions), narrow(p.secondary_partitions),
                 narrow(round_to_four(p.primary_partitions))};
  const int common = t.in_group | t.out_group;  // the powers of two that divide both
  plan.V = common % 4 == 0 ? 4 : common % 2 == 0 ? 2 : 1;
  plan.sliding = t.S == 3 && t.stride == 1;
  for (const size_t limit : {std::min(kTwoBlocks, max_shared_bytes), max_shared_bytes}) {
    for (int height = height_for(t.P); height >= 1; height /= 2) {
      set_tile(t, height);
      set_tile(b, std::min(height, height_for(b.P)));
      if (std::max({plan.forward_bytes(), plan.backward_weight_bytes(), plan.backward_input_bytes()}) <= limit) {
        return true;
      }
    }
  }
  return false;
}

size_t packed_floats(const IgcPlan& plan) {
  return static_cast<size_t>(2 * round_to_four(primary_count(plan)) + 2 * mix_count(plan));
}

PackedWeights pack_weights(Stream stream, const IgcPlan& plan, const float* primary, const float* secondary,
                           float* memory) {
  const int64_t taps = primary_count(plan), step = round_to_four(taps), mixes = mix_count(plan);
  const PackedWeights packed = {memory, memory + 2 * step, memory + step, memory + 2 * step + mixes};
  launch(independent(taps + mixes), stream, pack_kernel, plan, primary, secondary, packed, taps, mixes);
  return packed;
}

}  // namespace igcnet::simt
