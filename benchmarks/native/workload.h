// What is timed: a method of the backend on tensors of its own. Each is first computed at batch 1 by `cpu` and by
// `reference`, and must agree. Checked by running them: npm run bench:native.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "inputs.h"

namespace igcnet::bench {

struct Workload {
  std::vector<std::unique_ptr<HostTensor>> tensors;
  std::vector<HostTensor*> outputs;  // among `tensors`
  std::function<void(Backend&)> run;
  double flops = 0;

  // Adds an input; each has other values.
  HostTensor& input(const Shape& shape) {
    tensors.push_back(std::make_unique<HostTensor>(shape, static_cast<uint32_t>(tensors.size() + 1)));
    return *tensors.back();
  }
  HostTensor& output(const Shape& shape) {
    outputs.push_back(&input(shape));
    return *outputs.back();
  }
  // Of all tensors, each moved once.
  double bytes() const {
    double sum = 0;
    for (const auto& tensor : tensors) sum += tensor->bytes();
    return sum;
  }
};

// The backend that is timed.
Backend& cpu();

using Make = std::function<std::unique_ptr<Workload>(int64_t batch)>;

// Registers a benchmark, with 1 thread and with all cores.
void add_workload(const std::string& name, int64_t batch, const Make& make);

// One per file.
void add_conv2d();
void add_igc_block();
void add_batch_norm2d();
void add_elementwise();
void add_loops();

}  // namespace igcnet::bench
