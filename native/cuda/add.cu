// add: y = a + b; add_relu: y = relu(a_norm(a) + b_norm(b)), where a norm may be missing. A thread takes four
// neighbouring elements. Checked in test/kernels/elementwise.test.ts.
#include "cuda/four.h"
#include "cuda/norm_view.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

struct Add {
  __device__ float operator()(float a, float b, int64_t) const { return a + b; }
};

struct AddRelu {
  NormView a_norm, b_norm;
  int C;

  __device__ float operator()(float a, float b, int64_t i) const {
    if (!a_norm.present() && !b_norm.present()) return relu_of(a + b);
    const int c = remainder_of(i, C);
    return relu_of(__fadd_rn(applied(a_norm, a, c), applied(b_norm, b, c)));
  }
};

}  // namespace

void SimtBackend::add_forward(const Input& a, const Input& b, const Output& y) { map2(stream(), a, b, y, Add{}); }

void SimtBackend::add_relu_forward(const Input& a, const Norm* a_norm, const Input& b, const Norm* b_norm,
                                   const Output& y) {
  const Norm* norm = a_norm != nullptr ? a_norm : b_norm;
  const int C = norm == nullptr ? 1 : static_cast<int>(norm->mean.elements());
  map2(stream(), a, b, y, AddRelu{view_of(a_norm), view_of(b_norm), C});
}

}  // namespace igcnet::simt
