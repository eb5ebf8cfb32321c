// Checks of the host's stand-in for a GPU (native/cuda/host/host_simt.h): that blocks, threads, shared memory, barriers
// and shuffles do what they do there, and that it finds what it is there to find. Prints a line for each check that
// fails; compiled and run by host-simt.test.ts.
#include <cstdio>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/simt.h"

using namespace igcnet::simt;

namespace {

int failures = 0;

void expect(const char* what, bool holds) {
  if (holds) return;
  std::printf("%s\n", what);
  ++failures;
}

// The message of the InternalError of a launch; empty when there is none.
template <class... P, class... A>
std::string error_of(const Launch& size, void (*kernel)(P...), A... arguments) {
  try {
    launch(size, 0, kernel, arguments...);
  } catch (const igcnet::Error& error) {
    return error.what();
  }
  return {};
}

void write_index(unsigned* out) { out[blockIdx.x * blockDim.x + threadIdx.x] = blockIdx.x * 1000 + threadIdx.x; }

// Each thread passes its number on to its neighbour, `rounds` times.
void pass_on(unsigned* out, int rounds) {
  unsigned* shared = dynamic_shared<unsigned>();
  unsigned value = threadIdx.x;
  for (int round = 0; round < rounds; ++round) {
    shared[threadIdx.x] = value;
    __syncthreads();
    value = shared[(threadIdx.x + 1) % blockDim.x];
    __syncthreads();
  }
  out[threadIdx.x] = value;
}

// Without the barriers.
void pass_on_carelessly(unsigned* out) {
  unsigned* shared = dynamic_shared<unsigned>();
  shared[threadIdx.x] = threadIdx.x;
  out[threadIdx.x] = shared[(threadIdx.x + 1) % blockDim.x];
}

void sum_of_warp(float* out) {
  float value = static_cast<float>(threadIdx.x);
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, distance);
  out[threadIdx.x] = value;
}

void half_of_them_wait() {
  if (threadIdx.x % 2 == 0) __syncthreads();
}

void write_behind() { dynamic_shared<float>()[threadIdx.x + 1] = 1; }

void read_fresh(float* out) { out[threadIdx.x] = dynamic_shared<float>()[threadIdx.x]; }

}  // namespace

int main() {
  std::vector<unsigned> numbers(6, 0);
  launch({2, 3, 0, false}, 0, write_index, numbers.data());
  expect("indices", numbers == std::vector<unsigned>{0, 1, 2, 1000, 1001, 1002});

  std::vector<unsigned> passed(96);
  for (int repeat = 0; repeat < 2; ++repeat) {  // in both orders of threads
    launch(cooperative(1, 96, 96 * sizeof(unsigned)), 0, pass_on, passed.data(), 5);
    bool right = true;
    for (unsigned i = 0; i < 96; ++i) right = right && passed[i] == (i + 5) % 96;
    expect("barriers", right);
  }
  bool found = false;
  for (int repeat = 0; repeat < 2; ++repeat) {
    launch(cooperative(1, 96, 96 * sizeof(unsigned)), 0, pass_on_carelessly, passed.data());
    for (unsigned i = 0; i < 96; ++i) found = found || passed[i] != (i + 1) % 96;
  }
  expect("a missing barrier shows", found);

  std::vector<float> sums(64);
  launch(cooperative(1, 64, 0), 0, sum_of_warp, sums.data());
  expect("shuffles", sums[0] == 496 && sums[31] == 496 && sums[32] == 1520 && sums[63] == 1520);

  expect("a barrier that some never reach",
         error_of(cooperative(1, 64, 0), half_of_them_wait) == "simt: threads wait for others that do not come");
  expect("a write behind shared memory", error_of(cooperative(1, 32, 32 * sizeof(float)), write_behind) ==
                                             "simt: a write behind the shared memory of a block");
  expect("a barrier in a launch of independent threads", !error_of({1, 32, 0, false}, half_of_them_wait).empty());
  expect("too many threads", !error_of(cooperative(1, 1025, 0), half_of_them_wait).empty());
  launch(cooperative(1, 64, 64 * sizeof(float)), 0, read_fresh, sums.data());
  expect("fresh shared memory is NaN", sums[0] != sums[0] && sums[63] != sums[63]);
  launch(cooperative(1, 64, 0), 0, sum_of_warp, sums.data());
  expect("after an error all goes on", sums[0] == 496);
  std::printf("%s\n", failures == 0 ? "all checks passed" : "failed");
  return failures == 0 ? 0 : 1;
}
