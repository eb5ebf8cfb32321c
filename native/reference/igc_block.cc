// igc_block as the four steps of core/igc_block.h, and backwards as the adjoint of each step in reverse order. Nothing
// is assumed of K = L*M, so the authors' resnet_igc block with M = C/L is covered. Checked against PyTorch (grouped
// convolutions and channel shuffles, test/golden) and against the dense convolution with the composite kernel.
#include "core/igc_block.h"

#include <vector>

#include "core/dispatch.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

Conv2dParams primary_conv(const IgcBlockParams& p) { return {p.stride, p.padding, p.primary_partitions}; }
Conv2dParams secondary_conv(const IgcBlockParams& p) { return {1, 0, p.secondary_partitions}; }
ReorderParams first_reorder(const IgcBlockParams& p) { return {p.primary_partitions}; }
ReorderParams second_reorder(const IgcBlockParams& p) { return {p.secondary_partitions}; }

// A tensor between two steps.
template <class T>
class Temporary {
 public:
  explicit Temporary(const Shape& shape) : values_(static_cast<size_t>(shape.elements())), shape_(shape) {}
  Output tensor() { return {values_.data(), dtype_of<T>, shape_}; }

 private:
  std::vector<T> values_;
  Shape shape_;
};

}  // namespace

void ReferenceBackend::igc_block_forward(const IgcBlockParams& p, const Input& x, const Input& primary_weight,
                                         const Input& secondary_weight, const Output& z, const Output& y) {
  igc_block_sizes("igcBlock", p, x.shape, primary_weight.shape, secondary_weight.shape);
  dispatch_floating(x.dtype, [&]<class T>() {
    Temporary<T> reordered_z(z.shape), unordered_y(y.shape);
    conv2d_forward(primary_conv(p), x, primary_weight, z);
    reorder_forward(first_reorder(p), z, reordered_z.tensor());
    conv2d_forward(secondary_conv(p), reordered_z.tensor(), secondary_weight, unordered_y.tensor());
    reorder_forward(second_reorder(p), unordered_y.tensor(), y);
  });
}

void ReferenceBackend::igc_block_backward_input(const IgcBlockParams& p, const Input& dy, const Input& primary_weight,
                                                const Input& secondary_weight, const Output& dz, const Output& dx) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    Temporary<T> unordered_dy(dy.shape), reordered_dz(dz.shape);
    reorder_backward_input(second_reorder(p), dy, unordered_dy.tensor());
    conv2d_backward_input(secondary_conv(p), unordered_dy.tensor(), secondary_weight, reordered_dz.tensor());
    reorder_backward_input(first_reorder(p), reordered_dz.tensor(), dz);
    if (dx.data != nullptr) conv2d_backward_input(primary_conv(p), dz, primary_weight, dx);
  });
}

void ReferenceBackend::igc_block_backward_weight(const IgcBlockParams& p, const Input& dy, const Input& dz,
                                                 const Input& x, const Input& z, const Output& primary_dw,
                                                 const Output& secondary_dw) {
  igc_block_sizes("igcBlock", p, x.shape, primary_dw.shape, secondary_dw.shape);
  dispatch_floating(dy.dtype, [&]<class T>() {
    Temporary<T> unordered_dy(dy.shape), reordered_z(z.shape);
    reorder_backward_input(second_reorder(p), dy, unordered_dy.tensor());
    reorder_forward(first_reorder(p), z, reordered_z.tensor());
    conv2d_backward_weight(secondary_conv(p), unordered_dy.tensor(), reordered_z.tensor(), secondary_dw);
    conv2d_backward_weight(primary_conv(p), dz, x, primary_dw);
  });
}

}  // namespace igcnet
