// batch_norm2d in training on the maps of IGC-L24M2 and of its ImageNet sister. See workload.h.
#include "core/batch_norm2d.h"

#include "workload.h"

namespace igcnet::bench {
namespace {

struct Map {
  const char* name;
  int64_t batch, size, C;
};

constexpr Map kMaps[] = {{"L24M2-stage1", 64, 32, 48},
                         {"L24M2-stage2", 64, 16, 96},
                         {"L24M2-stage3", 64, 8, 192},
                         {"imagenet-56x56x200", 8, 56, 200}};

// Operations of an element: the two sums, of x or of its gradients; normalisation and ReLU; the gradient.
constexpr double kSumsFlops = 4, kApplyFlops = 3, kInputFlops = 6;

void add(const Map& map) {
  const auto name = [&](const char* step) { return std::string("batch_norm2d_") + step + "/" + map.name; };
  const auto shape = [map](int64_t batch) { return Shape{batch, map.size, map.size, map.C}; };
  add_workload(name("statistics"), map.batch, [=](int64_t batch) {
    auto made = std::make_unique<Workload>();
    Input x = made->input(shape(batch));
    const BatchStatistics statistics = statistics_of(made->output({2, map.C}));
    made->flops = kSumsFlops * static_cast<double>(x.elements());
    made->run = [=](Backend& b) { b.batch_norm2d_statistics(x, statistics); };
    return made;
  });
  add_workload(name("apply"), map.batch, [=](int64_t batch) {
    auto made = std::make_unique<Workload>();
    Input x = made->input(shape(batch)).coarsen();
    const Norm norm = norm_of(made->input({4, map.C}).fill_norm(), true);
    Output y = made->output(shape(batch));
    made->flops = kApplyFlops * static_cast<double>(x.elements());
    made->run = [=](Backend& b) { b.batch_norm2d_apply(x, norm, y); };
    return made;
  });
  add_workload(name("backward_weight"), map.batch, [=](int64_t batch) {
    auto made = std::make_unique<Workload>();
    Input dy = made->input(shape(batch)), x = made->input(shape(batch)).coarsen();
    const Norm norm = norm_of(made->input({4, map.C}).fill_norm(), true);
    const NormWeights gradients{made->output({map.C}), made->output({map.C})};
    made->flops = kSumsFlops * static_cast<double>(x.elements());
    made->run = [=](Backend& b) { b.batch_norm2d_backward_weight(dy, x, norm, gradients); };
    return made;
  });
  add_workload(name("backward_input"), map.batch, [=](int64_t batch) {
    auto made = std::make_unique<Workload>();
    Input dy = made->input(shape(batch)), x = made->input(shape(batch)).coarsen();
    const Norm norm = norm_of(made->input({4, map.C}).fill_norm(), true);
    const NormGradient gradient{x, norm, made->input({map.C}), made->input({map.C}), true};
    Output dx = made->output(shape(batch));
    made->flops = kInputFlops * static_cast<double>(x.elements());
    made->run = [=](Backend& b) { b.batch_norm2d_backward_input(dy, gradient, dx); };
    return made;
  });
}

}  // namespace

void add_batch_norm2d() {
  for (const Map& map : kMaps) add(map);
}

}  // namespace igcnet::bench
