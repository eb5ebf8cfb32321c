// Ops that are limited by memory: add, relu and its gradient, reorder, the optimiser step. See workload.h.
#include "workload.h"

namespace igcnet::bench {

void add_elementwise() {
  constexpr int64_t kBatch = 64;
  const auto map = [](int64_t batch) { return Shape{batch, 32, 32, 48}; };
  add_workload("add_forward/32x32x48", kBatch, [=](int64_t batch) {
    auto made = std::make_unique<Workload>();
    Input first = made->input(map(batch)), second = made->input(map(batch));
    Output y = made->output(map(batch));
    made->flops = static_cast<double>(y.elements());
    made->run = [=](Backend& b) { b.add_forward(first, second, y); };
    return made;
  });
  add_workload("relu_forward/32x32x48", kBatch, [=](int64_t batch) {
    auto made = std::make_unique<Workload>();
    Input x = made->input(map(batch));
    Output y = made->output(map(batch));
    made->flops = static_cast<double>(y.elements());
    made->run = [=](Backend& b) { b.relu_forward(x, y); };
    return made;
  });
  add_workload("relu_backward_input/32x32x48", kBatch, [=](int64_t batch) {
    auto made = std::make_unique<Workload>();
    Input dy = made->input(map(batch)), y = made->input(map(batch));
    Output dx = made->output(map(batch));
    made->flops = static_cast<double>(y.elements());
    made->run = [=](Backend& b) { b.relu_backward_input(dy, y, dx); };
    return made;
  });
  add_workload("reorder_forward/32x32x48", kBatch, [=](int64_t batch) {
    auto made = std::make_unique<Workload>();
    Input x = made->input(map(batch));
    Output y = made->output(map(batch));
    made->run = [=](Backend& b) { b.reorder_forward({24}, x, y); };
    return made;
  });
  add_workload("sgd_step/192x48", 1, [](int64_t) {
    auto made = std::make_unique<Workload>();
    Input g = made->input({192, 48});
    Output w = made->output({192, 48}), v = made->output({192, 48});
    constexpr double kFlops = 7;  // an element, with momentum, Nesterov and weight decay
    made->flops = kFlops * static_cast<double>(g.elements());
    made->run = [=](Backend& b) { b.sgd_step({1e-6, 0.9, 1e-4, true}, {{g, w, v}}, nullptr); };
    return made;
  });
}

}  // namespace igcnet::bench
