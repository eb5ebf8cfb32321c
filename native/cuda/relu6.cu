// relu6: y = x <= 0 ? 0 : x >= 6 ? 6 : x (a NaN stays); dx = 0 < y < 6 ? dy : 0. A thread takes four neighbouring
// elements. Checked in test/kernels/elementwise.test.ts.
#include "cuda/four.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

struct Relu6Forward {
  __device__ float operator()(float x, int64_t) const { return x <= 0.0F ? 0.0F : x >= 6.0F ? 6.0F : x; }
};
struct Relu6BackwardInput {
  __device__ float operator()(float dy, float y, int64_t) const { return y > 0.0F && y < 6.0F ? dy : 0.0F; }
};

}  // namespace

void SimtBackend::relu6_forward(const Input& x, const Output& y) { map(stream(), x, y, Relu6Forward{}); }

void SimtBackend::relu6_backward_input(const Input& dy, const Input& y, const Output& dx) {
  map2(stream(), dy, y, dx, Relu6BackwardInput{});
}

}  // namespace igcnet::simt
