// conv2d on the layers of the networks: the primary convolutions of IGC blocks, and dense ones. See workload.h.
#include "core/conv2d.h"

#include "workload.h"

namespace igcnet::bench {
namespace {

struct Layer {
  const char* name;
  int64_t batch, size, C, K, kernel, stride, groups;
};

constexpr Layer kLayers[] = {
    {"L24M2-stage1", 64, 32, 48, 48, 3, 1, 24},
    {"L24M2-stage2-first", 64, 32, 48, 96, 3, 2, 24},
    {"L24M2-stage2", 64, 16, 96, 96, 3, 1, 24},
    {"L24M2-stage3", 64, 8, 192, 192, 3, 1, 24},
    {"L4M8-stage1", 64, 32, 32, 32, 3, 1, 4},
    {"imagenet-56x56x200", 8, 56, 200, 200, 3, 1, 100},
    {"imagenet-28x28x400", 8, 28, 400, 400, 3, 1, 200},
    {"imagenet-14x14x800", 8, 14, 800, 800, 3, 1, 400},
    {"imagenet-7x7x1600", 8, 7, 1600, 1600, 3, 1, 800},
    {"stem-48", 64, 32, 3, 48, 3, 1, 1},
    {"W16-stage1", 64, 32, 16, 16, 3, 1, 1},
    {"W16-stage2", 64, 16, 32, 32, 3, 1, 1},
    {"W16-stage3", 64, 8, 64, 64, 3, 1, 1},
};

enum class Direction { kForward, kBackwardInput, kBackwardWeight };

std::unique_ptr<Workload> make(const Layer& layer, Direction direction, int64_t batch) {
  auto made = std::make_unique<Workload>();
  const Conv2dParams p{layer.stride, layer.kernel / 2, layer.groups};
  const Shape x{batch, layer.size, layer.size, layer.C};
  const Shape w{layer.K, layer.kernel, layer.kernel, layer.C / layer.groups};
  const Shape y = conv2d_output(conv2d_sizes("conv2d", p, x, w));
  made->flops = 2.0 * static_cast<double>(y.elements() * w.elements() / layer.K);
  if (direction == Direction::kForward) {
    Input in = made->input(x), weight = made->input(w);
    made->run = [=, out = Output(made->output(y))](Backend& b) { b.conv2d_forward(p, in, weight, out); };
  } else if (direction == Direction::kBackwardInput) {
    Input dy = made->input(y), weight = made->input(w);
    made->run = [=, dx = Output(made->output(x))](Backend& b) { b.conv2d_backward_input(p, dy, weight, dx); };
  } else {
    Input dy = made->input(y), in = made->input(x);
    made->run = [=, dw = Output(made->output(w))](Backend& b) { b.conv2d_backward_weight(p, dy, in, dw); };
  }
  return made;
}

}  // namespace

void add_conv2d() {
  const std::pair<const char*, Direction> directions[] = {{"forward", Direction::kForward},
                                                          {"backward_input", Direction::kBackwardInput},
                                                          {"backward_weight", Direction::kBackwardWeight}};
  for (const Layer& layer : kLayers) {
    for (const auto& [name, direction] : directions) {
      add_workload(std::string("conv2d_") + name + "/" + layer.name, layer.batch,
                   [layer, direction = direction](int64_t batch) { return make(layer, direction, batch); });
    }
  }
}

}  // namespace igcnet::bench
