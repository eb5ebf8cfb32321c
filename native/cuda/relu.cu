// relu: y = x <= 0 ? 0 : x (a NaN stays); dx = y > 0 ? dy : 0. A thread takes four neighbouring elements.
// Checked in test/kernels/elementwise.test.ts.
#include "cuda/four.h"
#include "cuda/norm_view.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

struct ReluForward {
  __device__ float operator()(float x, int64_t) const { return relu_of(x); }
};
struct ReluBackwardInput {
  __device__ float operator()(float dy, float y, int64_t) const { return y > 0.0F ? dy : 0.0F; }
};

}  // namespace

void SimtBackend::relu_forward(const Input& x, const Output& y) { map(stream(), x, y, ReluForward{}); }

void SimtBackend::relu_backward_input(const Input& dy, const Input& y, const Output& dx) {
  map2(stream(), dy, y, dx, ReluBackwardInput{});
}

}  // namespace igcnet::simt
