// Loops over the OpenMP team of the calling thread. The body must not throw: an exception cannot leave the team.
// Checked by running the kernel tests with 1, 2 and 3 threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace igcnet {

// Elements of a cheap elementwise op below which a team costs more than it saves.
inline constexpr int64_t kElementGrain = 1 << 14;

// body(begin, end) over [0, n), one range per thread; a range has `grain` elements or more, so little work stays on
// the calling thread.
template <class Body>
void parallel_ranges(int64_t n, int64_t grain, const Body& body) {
  const int64_t threads = std::min<int64_t>(omp_get_max_threads(), n / std::max<int64_t>(grain, 1));
  if (threads <= 1) {
    if (n > 0) body(int64_t{0}, n);
    return;
  }
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    const int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    body(n / team * thread + std::min(thread, n % team), n / team * (thread + 1) + std::min(thread + 1, n % team));
  }
}

// body(task, thread) for every task in [0, tasks); thread < parallel_threads(). A thread takes the next task when it
// has done one: on a machine with other work the threads are not equally fast.
template <class Body>
void parallel_tasks(int64_t tasks, const Body& body) {
  if (tasks <= 1) {
    if (tasks == 1) body(int64_t{0}, 0);
    return;
  }
#pragma omp parallel for schedule(dynamic)
  for (int64_t task = 0; task < tasks; ++task) body(task, omp_get_thread_num());
}

inline int parallel_threads() { return omp_get_max_threads(); }

}  // namespace igcnet
