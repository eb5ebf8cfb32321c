// igc_block on the blocks of the CIFAR networks at batch 64 and of the ImageNet network IGC-L100M2 at batch 8. See
// workload.h.
#include "core/igc_block.h"

#include <optional>

#include "workload.h"

namespace igcnet::bench {
namespace {

struct Block {
  const char* name;
  int64_t batch, size, C, K, stride, L, M;
};

constexpr Block kBlocks[] = {
    {"L24M2-stage1", 64, 32, 48, 48, 1, 24, 2},
    {"L24M2-stage2-first", 64, 32, 48, 96, 2, 24, 4},
    {"L24M2-stage2-first-quirk", 64, 32, 48, 96, 2, 24, 2},
    {"L24M2-stage2", 64, 16, 96, 96, 1, 24, 4},
    {"L24M2-stage3", 64, 8, 192, 192, 1, 24, 8},
    {"L4M8-stage1", 64, 32, 32, 32, 1, 4, 8},
    {"L4M8-stage2", 64, 16, 64, 64, 1, 4, 16},
    {"L4M8-stage3", 64, 8, 128, 128, 1, 4, 32},
    {"imagenet-56x56x200", 8, 56, 200, 200, 1, 100, 2},
    {"imagenet-28x28x400", 8, 28, 400, 400, 1, 200, 2},
    {"imagenet-14x14x800", 8, 14, 800, 800, 1, 400, 2},
    {"imagenet-7x7x1600", 8, 7, 1600, 1600, 1, 800, 2},
};

// kForwardNorm and kBackwardNorm are as in training: between two batch norms with ReLU, which they carry out, and with
// z kept from one to the other where the backend does.
enum class Direction { kForward, kForwardNorm, kBackward, kBackwardNorm, kBackwardInput, kBackwardWeight };

constexpr std::pair<const char*, Direction> kDirections[] = {
    {"forward", Direction::kForward},
    {"forward_norm", Direction::kForwardNorm},
    {"backward", Direction::kBackward},
    {"backward_norm", Direction::kBackwardNorm},
    {"backward_input", Direction::kBackwardInput},
    {"backward_weight", Direction::kBackwardWeight},
};

struct Shapes {
  Shape x, primary, secondary, y;
};

Shapes shapes_of(const Block& block, const IgcBlockParams& p, int64_t batch) {
  const Shape x{batch, block.size, block.size, block.C};
  const Shape wp{block.K, 3, 3, block.C / block.L}, ws{block.K, 1, 1, block.K / block.M};
  return {x, wp, ws, conv2d_output(igc_block_sizes("igcBlock", p, x, wp, ws))};
}

// Room for z, or none where it is not kept.
std::optional<Output> kept_z(Workload& made, const IgcBlockParams& p, const Shapes& s) {
  if (!cpu().igc_block_keeps_z(p, igc_block_sizes("igcBlock", p, s.x, s.primary, s.secondary))) return std::nullopt;
  return made.input(s.y);
}

void make_forward(Workload& made, const Block& block, const IgcBlockParams& p, const Shapes& shapes, bool norm) {
  Input x = made.input(shapes.x).coarsen(), primary = made.input(shapes.primary);
  Input secondary = made.input(shapes.secondary);
  Output y = made.output(shapes.y);
  if (!norm) {
    made.run = [=](Backend& b) { b.igc_block_forward(p, x, nullptr, primary, secondary, y, nullptr, nullptr); };
    return;
  }
  const Norm x_norm = norm_of(made.input({4, block.C}).fill_norm(), true);
  const BatchStatistics statistics = statistics_of(made.output({2, block.K}));
  const std::optional<Output> z = kept_z(made, p, shapes);
  made.run = [=](Backend& b) {
    b.igc_block_forward(p, x, &x_norm, primary, secondary, y, &statistics, z && &b == &cpu() ? &*z : nullptr);
  };
}

void make_backward(Workload& made, const Block& block, const IgcBlockParams& p, const Shapes& shapes,
                   Direction direction) {
  Input dy = made.input(shapes.y), x = made.input(shapes.x).coarsen();
  Input primary = made.input(shapes.primary), secondary = made.input(shapes.secondary);
  Output dx, primary_dw, secondary_dw;  // without data: not wanted
  if (direction != Direction::kBackwardWeight) dx = made.output(shapes.x);
  if (direction != Direction::kBackwardInput) {
    primary_dw = made.output(shapes.primary);
    secondary_dw = made.output(shapes.secondary);
  }
  if (direction != Direction::kBackwardNorm) {
    made.run = [=](Backend& b) {
      b.igc_block_backward(p, dy, nullptr, x, nullptr, primary, secondary, dx, primary_dw, secondary_dw, nullptr,
                           nullptr);
    };
    return;
  }
  const Norm x_norm = norm_of(made.input({4, block.C}).fill_norm(), true);
  const Norm y_norm = norm_of(made.input({4, block.K}).fill_norm(), true);
  Input y = made.input(shapes.y).coarsen(), dgamma = made.input({block.K}), dbeta = made.input({block.K});
  const NormGradient gradient{y, y_norm, dgamma, dbeta, true};
  const NormWeights sums{made.output({block.C}), made.output({block.C})};
  const std::optional<Output> room = kept_z(made, p, shapes);
  const auto z = std::make_shared<std::optional<Input>>();  // made by the first run, which is not timed
  const auto unused = std::make_shared<HostTensor>(shapes.y, 0);
  made.run = [=](Backend& b) {
    if (room && &b == &cpu() && !*z) {
      b.igc_block_forward(p, x, &x_norm, primary, secondary, *unused, nullptr, &*room);
      *z = *room;
    }
    b.igc_block_backward(p, dy, &gradient, x, &x_norm, primary, secondary, dx, primary_dw, secondary_dw, &sums,
                         *z ? &**z : nullptr);
  };
}

std::unique_ptr<Workload> make(const Block& block, Direction direction, int64_t batch) {
  auto made = std::make_unique<Workload>();
  const IgcBlockParams p{block.L, block.M, block.stride, 1};
  const Shapes shapes = shapes_of(block, p, batch);
  const int64_t weights = shapes.primary.elements() + shapes.secondary.elements();
  const bool both = direction == Direction::kBackward || direction == Direction::kBackwardNorm;
  made->flops = (both ? 4.0 : 2.0) * static_cast<double>(shapes.y.elements() * weights / block.K);
  if (direction == Direction::kForward || direction == Direction::kForwardNorm) {
    make_forward(*made, block, p, shapes, direction == Direction::kForwardNorm);
  } else {
    make_backward(*made, block, p, shapes, direction);
  }
  return made;
}

}  // namespace

void add_igc_block() {
  for (const Block& block : kBlocks) {
    for (const auto& [name, direction] : kDirections) {
      add_workload(std::string("igc_block_") + name + "/" + block.name, block.batch,
                   [block, direction = direction](int64_t batch) { return make(block, direction, batch); });
    }
  }
}

}  // namespace igcnet::bench
