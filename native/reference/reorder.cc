// reorder: y[row, q*b + p] = x[row, p*(C/b) + q] for the factor b, and the same pairs of places backwards for the
// gradient. Checked for every factor of every C up to 240, and against PyTorch's ChannelShuffle (test/kernels).
#include "core/reorder.h"

#include "core/dispatch.h"
#include "reference/array.h"
#include "reference/reference_backend.h"

namespace igcnet {
namespace {

// Calls visit(row, place in y, place in x) for every element.
template <class Visit>
void for_each_move(const ReorderParams& params, const Shape& x, Visit visit) {
  reorder_check("reorder", params, x);
  const int64_t C = x[x.rank() - 1], b = params.factor;
  for (int64_t row = 0; row < rows_of(x); ++row) {
    for (int64_t p = 0; p < b; ++p) {
      for (int64_t q = 0; q < C / b; ++q) visit(row, q * b + p, p * (C / b) + q);
    }
  }
}

}  // namespace

void ReferenceBackend::reorder_forward(const ReorderParams& p, const Input& x, const Output& y) {
  dispatch_floating(x.dtype, [&]<class T>() {
    const auto from = array2<T>(x);
    const auto to = array2<T>(y);
    for_each_move(p, x.shape, [&](int64_t row, int64_t in_y, int64_t in_x) { to(row, in_y) = from(row, in_x); });
  });
}

void ReferenceBackend::reorder_backward_input(const ReorderParams& p, const Input& dy, const Output& dx) {
  dispatch_floating(dy.dtype, [&]<class T>() {
    const auto from = array2<T>(dy);
    const auto to = array2<T>(dx);
    for_each_move(p, dy.shape, [&](int64_t row, int64_t in_y, int64_t in_x) { to(row, in_x) = from(row, in_y); });
  });
}

}  // namespace igcnet
