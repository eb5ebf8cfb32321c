// igc_block: one piece of work (group_conv.h) when K is a multiple f*L*M of both partitions; the four
// operators otherwise. When f = 1 both permutations cancel. When f > 1 (QUIRK: the authors' resnet_igc blocks where the
// width changes) they do not, but with the channels of each primary group in another order, z'[l*fM + e*M + m] =
// z[l*fM + m*f + e], e < f, the block is one with f*L primary partitions in the secondary convolution's eyes:
//   y[r*M + m] = sum over l, e of ws[m*fL + r, e*L + l] * z'[(l*f + e)*M + m]
// so its weights are put in that order, and their gradients back. Checked against `reference`, which always composes.
#include "core/igc_block.h"

#include <algorithm>

#include "core/igc_block_composed.h"
#include "cpu/cpu_backend.h"
#include "cpu/norm.h"

namespace igcnet {
namespace {

float* floats(const Output& tensor) { return tensor.data == nullptr ? nullptr : tensor.as<float>(); }

// f for those that group_conv.h takes, else 0.
int64_t width_factor(const IgcBlockParams& p, const Conv2dSizes& z) {
  const int64_t partitions = p.primary_partitions * p.secondary_partitions;
  return z.N > 0 && z.K % partitions == 0 ? z.K / partitions : 0;
}

// Calls body(place in the order of igc_block, place in the order of group_conv.h) for runs of floats.
struct WeightOrder {
  int64_t L, M, f, K, primary_row;

  template <class Body>
  void for_each_primary_row(const Body& body) const {
    for (int64_t l = 0; l < L; ++l) {
      for (int64_t e = 0; e < f; ++e) {
        for (int64_t m = 0; m < M; ++m)
          body((l * f * M + m * f + e) * primary_row, ((l * f + e) * M + m) * primary_row);
      }
    }
  }

  template <class Body>
  void for_each_secondary_weight(const Body& body) const {
    for (int64_t row = 0; row < K * f * L; row += f * L) {
      for (int64_t l = 0; l < L; ++l) {
        for (int64_t e = 0; e < f; ++e) body(row + e * L + l, row + l * f + e);
      }
    }
  }

  void put(const float* primary, const float* secondary, float* ordered_primary, float* ordered_secondary) const {
    for_each_primary_row(
        [&](int64_t from, int64_t to) { std::copy_n(primary + from, primary_row, ordered_primary + to); });
    for_each_secondary_weight([&](int64_t from, int64_t to) { ordered_secondary[to] = secondary[from]; });
  }

  void put_back(const float* ordered_primary, const float* ordered_secondary, float* primary, float* secondary) const {
    if (primary != nullptr) {
      for_each_primary_row(
          [&](int64_t to, int64_t from) { std::copy_n(ordered_primary + from, primary_row, primary + to); });
    }
    if (secondary != nullptr) {
      for_each_secondary_weight([&](int64_t to, int64_t from) { secondary[to] = ordered_secondary[from]; });
    }
  }

  int64_t primary_floats() const { return K * primary_row; }
  int64_t secondary_floats() const { return K * f * L; }
};

WeightOrder weight_order(const IgcBlockParams& p, const Conv2dSizes& z, int64_t f) {
  return {p.primary_partitions, p.secondary_partitions, f, z.K, z.R * z.S * z.C / z.G};
}

}  // namespace

// From so many multiply-adds a value on, writing and reading z costs less than making it again
// (docs/kernels/igc-block.md).
bool CpuBackend::igc_block_keeps_z(const IgcBlockParams& p, const Conv2dSizes& z) const {
  constexpr int64_t kFewest = 32;
  return width_factor(p, z) > 0 && z.R * z.S * z.C / z.G >= kFewest;
}

bool CpuBackend::igc_block_overwrites_dy(const IgcBlockParams& p, const Conv2dSizes& z) const {
  return width_factor(p, z) > 0 && GroupConv::overwrites_dy(z);
}

void CpuBackend::igc_block_forward(const IgcBlockParams& p, const Input& x, const Norm* x_norm,
                                   const Input& primary_weight, const Input& secondary_weight, const Output& y,
                                   const BatchStatistics* y_statistics, const Output* kept_z) {
  const Conv2dSizes z = igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  const int64_t f = width_factor(p, z);
  if (f == 0) {
    return igc_block_composed_forward(*this, between_, p, x, x_norm, primary_weight, secondary_weight, y, y_statistics);
  }
  GroupConvForward task{.x = x.as<float>(),
                        .primary_weight = primary_weight.as<float>(),
                        .secondary_weight = secondary_weight.as<float>(),
                        .y = y.as<float>(),
                        .z = kept_z == nullptr ? nullptr : kept_z->as<float>()};
  if (f > 1) {
    const WeightOrder order = weight_order(p, z, f);
    float* room = ordered_weights_.take<float>(static_cast<size_t>(order.primary_floats() + order.secondary_floats()));
    order.put(task.primary_weight, task.secondary_weight, room, room + order.primary_floats());
    task.primary_weight = room;
    task.secondary_weight = room + order.primary_floats();
  }
  group_forward(plans_.of(z, p.secondary_partitions), task, x_norm, y_statistics);
}

namespace {

GroupConvBackward outputs_of(const Output& dx, const Output& primary_dw, const Output& secondary_dw, const Input* z) {
  return {.z = z == nullptr ? nullptr : z->as<float>(),
          .dx = floats(dx),
          .primary_dw = floats(primary_dw),
          .secondary_dw = floats(secondary_dw)};
}

}  // namespace

void CpuBackend::igc_block_backward(const IgcBlockParams& p, const Input& dy, const NormGradient* dy_norm,
                                    const Input& x, const Norm* x_norm, const Input& primary_weight,
                                    const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                    const Output& secondary_dw, const NormWeights* x_norm_gradients,
                                    const Input* kept_z) {
  const Conv2dSizes z = igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  if (width_factor(p, z) == 0) {
    return igc_block_composed_backward(*this, between_, p, dy, dy_norm, x, x_norm, primary_weight, secondary_weight, dx,
                                       primary_dw, secondary_dw, x_norm_gradients);
  }
  igc_group_backward(p, outputs_of(dx, primary_dw, secondary_dw, kept_z), dy, dy_norm, x, x_norm, primary_weight,
                     secondary_weight, x_norm_gradients, nullptr);
}

void CpuBackend::igc_block_backward_through(const ReluSum& sum, const IgcBlockParams& p, const Input& dy,
                                            const NormGradient* dy_norm, const Input& x, const Input& primary_weight,
                                            const Input& secondary_weight, const Output& dx, const Output& primary_dw,
                                            const Output& secondary_dw, const Input* kept_z) {
  const Conv2dSizes z = igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  if (width_factor(p, z) == 0) {
    return Backend::igc_block_backward_through(sum, p, dy, dy_norm, x, primary_weight, secondary_weight, dx, primary_dw,
                                               secondary_dw, kept_z);
  }
  igc_group_backward(p, outputs_of(dx, primary_dw, secondary_dw, kept_z), dy, dy_norm, x, nullptr, primary_weight,
                     secondary_weight, nullptr, &sum);
}

void CpuBackend::igc_group_backward(const IgcBlockParams& p, GroupConvBackward task, const Input& dy,
                                    const NormGradient* dy_norm, const Input& x, const Norm* x_norm,
                                    const Input& primary_weight, const Input& secondary_weight,
                                    const NormWeights* x_norm_gradients, const ReluSum* sum) {
  const Conv2dSizes z = igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  const int64_t f = width_factor(p, z);
  task.dy = dy.as<float>();
  task.x = x.as<float>();
  task.primary_weight = primary_weight.as<float>();
  task.secondary_weight = secondary_weight.as<float>();
  float *const primary_dw = task.primary_dw, *const secondary_dw = task.secondary_dw;
  const WeightOrder order = weight_order(p, z, f);
  if (f > 1) {
    const int64_t primary = order.primary_floats(), both = primary + order.secondary_floats();
    float* ordered = ordered_weights_.take<float>(static_cast<size_t>(2 * both));
    order.put(task.primary_weight, task.secondary_weight, ordered, ordered + primary);
    task.primary_weight = ordered;
    task.secondary_weight = ordered + primary;
    if (task.primary_dw != nullptr) task.primary_dw = ordered + both;
    if (task.secondary_dw != nullptr) task.secondary_dw = ordered + both + primary;
  }
  group_backward(plans_.of(z, p.secondary_partitions), z, task, dy_norm, x_norm, x_norm_gradients, sum);
  if (f > 1) order.put_back(task.primary_dw, task.secondary_dw, primary_dw, secondary_dw);
}

}  // namespace igcnet
