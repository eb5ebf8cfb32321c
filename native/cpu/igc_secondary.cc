// The secondary convolution of igc_block without a permutation: output vector k = l'*M + m .. needs for each l the
// M-tuple in[p, l*M .. l*M + M) repeated over the vector, times one packed weight vector. The tuple is repeated by
// the load itself (M = 1, 2, 4, 8), by expansion into a buffer (other M below the vector length), or is longer than a
// vector and read as it is. Checked through igc_block against the four-op composition.
#include <algorithm>
#include <vector>

#include "cpu/group_conv.h"
#include "cpu/parallel.h"
#include "cpu/row_kernels.h"

namespace igcnet {
namespace {

// A vector of output channels [channel, channel + active) that starts at place `m` of the tuple.
struct TupleUnit {
  int64_t channel, active, m;
};

// Chunks of pixels: forward and backward by input they stay in the L1 cache; the weight gradient adds to its sums in
// memory once for each chunk, so there they are longer and stay in the L2 cache.
constexpr int64_t kShortChunkFloats = 1 << 12, kLongChunkFloats = 1 << 14;

struct SecondaryPlan {
  int64_t pixels, L, M, K, lanes;
  Loader loader;
  bool expand;
  int64_t chunk;  // pixels worked on at a time, so that they stay in the cache for all units
  std::vector<TupleUnit> units;
  std::vector<int32_t> table;  // of the expansion (row_kernels.h), whose "pixels" are the tuples

  SecondaryPlan(const SecondarySizes& s, int64_t chunk_floats);
  int64_t chunks() const { return (pixels + chunk - 1) / chunk; }
  int64_t unit_floats() const { return L * lanes; }
  int64_t weight_floats() const { return static_cast<int64_t>(units.size()) * unit_floats(); }
  int64_t buffer_floats() const { return expand ? chunk * L * lanes : 0; }
  // Where w [K, 1, 1, L] has the weight between outer index l_in and channel k of the direction's output.
  int64_t weight_index(bool forward, int64_t k, int64_t l_in) const {
    const int64_t l_out = k / M, m = k % M;
    return forward ? (m * L + l_out) * L + l_in : (m * L + l_in) * L + l_out;
  }
};

SecondaryPlan::SecondaryPlan(const SecondarySizes& s, int64_t chunk_floats)
    : pixels(s.pixels), L(s.L), M(s.M), K(s.L * s.M), lanes(simd_lanes()), loader(tuple_loader(s.M)) {
  expand = M < lanes && loader == Loader::kVector;
  const int64_t pixel_floats = expand ? L * lanes : K;
  chunk = std::clamp<int64_t>(chunk_floats / pixel_floats / 8 * 8, 16, 256);
  if (M <= lanes) {
    const int64_t width = lanes / M * M;  // whole tuples
    for (int64_t k = 0; k < K; k += width) units.push_back({k, std::min(width, K - k), 0});
  } else {
    for (int64_t k = 0; k < K; k += M) {
      for (int64_t m = 0; m < M; m += lanes) {
        const int64_t start = std::min(m, M - lanes);  // the last vector overlaps the one before: no partial vectors
        units.push_back({k + start, lanes, start});
      }
    }
  }
  if (expand) {
    for (int64_t i = 0; i < lanes; ++i) table.push_back(static_cast<int32_t>(i % M));
  }
}

// The inputs of a chunk as the kernels read them.
struct ChunkInput {
  const float* x;
  int64_t element, step;
};

ChunkInput prepare_chunk(const SecondaryPlan& plan, const float* x, int64_t first, int64_t count, float* buffer) {
  if (!plan.expand) return {x + first * plan.K, plan.M, plan.K};
  const PixelRun run{0, 0, count * plan.L};
  expand_row({.x = x + first * plan.K,
              .end = x + plan.pixels * plan.K,
              .pixel = plan.M,
              .runs = &run,
              .run_count = 1,
              .inputs = 1,
              .table = plan.table.data(),
              .span = plan.M,
              .out = buffer});
  return {buffer, plan.lanes, plan.L * plan.lanes};
}

void run(bool forward, const SecondaryPlan& plan, const float* x, const float* w, float* y, GroupConvScratch& scratch) {
  const int64_t units = static_cast<int64_t>(plan.units.size());
  float* packed = scratch.weights.take<float>(static_cast<size_t>(plan.weight_floats()));
  constexpr int64_t kPackGrain = 1 << 14;
  parallel_ranges(units, kPackGrain / plan.unit_floats() + 1, [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) {
      const TupleUnit& unit = plan.units[static_cast<size_t>(u)];
      float* target = packed + u * plan.unit_floats();
      for (int64_t l = 0; l < plan.L; ++l) {
        for (int64_t i = 0; i < plan.lanes; ++i, ++target) {
          *target = i < unit.active ? w[plan.weight_index(forward, unit.channel + i, l)] : 0.0f;
        }
      }
    }
  });
  float* buffers = scratch.rows.take<float>(static_cast<size_t>(parallel_threads() * plan.buffer_floats()));
  parallel_tasks(plan.chunks(), [&](int64_t task, int thread) {
    const int64_t first = task * plan.chunk, count = std::min(plan.chunk, plan.pixels - first);
    const ChunkInput input = prepare_chunk(plan, x, first, count, buffers + thread * plan.buffer_floats());
    for (int64_t u = 0; u < units; ++u) {
      const TupleUnit& unit = plan.units[static_cast<size_t>(u)];
      const float* inputs = input.x + unit.m;
      const float* weights = packed + u * plan.unit_floats();
      correlate_row({.loader = plan.loader,
                     .rows = 1,
                     .x = &inputs,
                     .w = &weights,
                     .depth = plan.L,
                     .element = input.element,
                     .step = input.step,
                     .count = count,
                     .y = y + first * plan.K + unit.channel,
                     .y_step = plan.K,
                     .active = unit.active});
    }
  });
}

}  // namespace

void secondary_forward(const SecondarySizes& s, const float* z, const float* w, float* y, GroupConvScratch& scratch) {
  run(true, SecondaryPlan(s, kShortChunkFloats), z, w, y, scratch);
}

void secondary_backward_input(const SecondarySizes& s, const float* dy, const float* w, float* dz,
                              GroupConvScratch& scratch) {
  run(false, SecondaryPlan(s, kShortChunkFloats), dy, w, dz, scratch);
}

void secondary_backward_weight(const SecondarySizes& s, const float* dy, const float* z, float* dw,
                               GroupConvScratch& scratch) {
  const SecondaryPlan plan(s, kLongChunkFloats);
  const int64_t units = static_cast<int64_t>(plan.units.size()), chunks = plan.chunks();
  // Blocks of chunks with their own sums, as many as the sizes (not the threads) ask for.
  constexpr int64_t kMaxBlocks = 32, kMaxPartials = int64_t{1} << 23;  // floats, 32 MiB
  const int64_t blocks = std::max<int64_t>(1, std::min({kMaxBlocks, chunks, kMaxPartials / plan.weight_floats()}));
  float* partials = scratch.partials.take<float>(static_cast<size_t>(blocks * plan.weight_floats()));
  const int64_t dy_floats = plan.chunk * plan.lanes, buffer_floats = plan.buffer_floats() + dy_floats;
  float* buffers = scratch.rows.take<float>(static_cast<size_t>(parallel_threads() * buffer_floats));
  parallel_tasks(blocks, [&](int64_t block, int thread) {
    float* sums = partials + block * plan.weight_floats();
    std::fill_n(sums, plan.weight_floats(), 0.0f);
    float* dy_chunk = buffers + thread * buffer_floats;
    for (int64_t c = chunks * block / blocks; c < chunks * (block + 1) / blocks; ++c) {
      const int64_t first = c * plan.chunk, count = std::min(plan.chunk, plan.pixels - first);
      const ChunkInput input = prepare_chunk(plan, z, first, count, dy_chunk + dy_floats);
      for (int64_t u = 0; u < units; ++u) {
        const TupleUnit& unit = plan.units[static_cast<size_t>(u)];
        pack_row(dy + first * plan.K + unit.channel, plan.K, count, unit.active, dy_chunk);
        weight_gradient_row({.loader = plan.loader,
                             .x = input.x + unit.m,
                             .depth = plan.L,
                             .element = input.element,
                             .step = input.step,
                             .count = count,
                             .dy = dy_chunk,
                             .dw = sums + u * plan.unit_floats()});
      }
    }
  });
  constexpr int64_t kReduceGrain = 1 << 14;
  parallel_ranges(units, kReduceGrain / (plan.unit_floats() * blocks) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) {
      const TupleUnit& unit = plan.units[static_cast<size_t>(u)];
      float* sums = partials + u * plan.unit_floats();
      for (int64_t block = 1; block < blocks; ++block) {
        const float* more = sums + block * plan.weight_floats();
        for (int64_t i = 0; i < plan.unit_floats(); ++i) sums[i] += more[i];
      }
      for (int64_t i = 0; i < unit.active; ++i) {
        for (int64_t l = 0; l < plan.L; ++l) {
          dw[plan.weight_index(true, unit.channel + i, l)] = sums[l * plan.lanes + i];
        }
      }
    }
  });
}

}  // namespace igcnet
