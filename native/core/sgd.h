// sgd_step: stochastic gradient descent with momentum, as MXNet's NAG and PyTorch's SGD have it, in one pass.
//   d = g + weight_decay * w;  v = momentum * v + d
//   w -= lr * (nesterov ? d + momentum * v : v)
#pragma once

namespace igcnet {

struct SgdParams {
  double lr = 0.1;
  double momentum = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

}  // namespace igcnet
