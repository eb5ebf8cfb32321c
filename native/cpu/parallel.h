// Loops over the OpenMP team of the calling thread. The body must not throw: an exception cannot leave the team.
// Checked by running the kernel tests with 1, 2 and 3 threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

namespace igcnet {

// Elements of a cheap elementwise op below which a team costs more than it saves.
inline constexpr int64_t kElementGrain = 1 << 14;

// Multiply-adds of a convolution or product that a thread should have: 20 to 40 microseconds of work. Waking a team for
// less makes the latency of a single small image longer.
inline constexpr int64_t kMultiplyAddGrain = int64_t{1} << 21;

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

// Tasks of a thread that others may take from, too; numbers below kMost.
class TaskRange {
 public:
  static constexpr int64_t kMost = int64_t{1} << 32;

  void set(int64_t begin, int64_t end) { ends_ = pack(begin, end); }

  // The first task or the last one that is left, or -1.
  int64_t take(bool last) {
    uint64_t ends = ends_.load(std::memory_order_relaxed);
    while (true) {
      const int64_t begin = static_cast<int64_t>(ends >> 32), end = static_cast<int64_t>(ends & 0xffffffffu);
      if (begin >= end) return -1;
      const uint64_t rest = last ? pack(begin, end - 1) : pack(begin + 1, end);
      if (ends_.compare_exchange_weak(ends, rest, std::memory_order_relaxed)) return last ? end - 1 : begin;
    }
  }

 private:
  static uint64_t pack(int64_t begin, int64_t end) {
    return static_cast<uint64_t>(begin) << 32 | static_cast<uint64_t>(end);
  }
  std::atomic<uint64_t> ends_{0};
};

// body(task, thread, next) for every task in [0, tasks); thread < parallel_threads(), and `next` is the task that this
// thread is likely to have next, or -1. Each thread has a range of tasks of its own, the same ones in every loop over
// as many tasks, so that it finds in its cache what it wrote in the last loop; it goes through them to and fro, from
// where that loop ended. One that is done takes tasks from the others' ends: on a machine with other work the threads
// are not equally fast. `work` in all is shared out to threads that get `grain` of it or more.
template <class Body>
void parallel_tasks(int64_t tasks, int64_t work, int64_t grain, const Body& body) {
  thread_local bool backwards = false;
  backwards = !backwards;
  const bool reverse = backwards;
  const int64_t threads = std::min<int64_t>({omp_get_max_threads(), tasks, std::max<int64_t>(work / grain, 1)});
  const auto work_on = [&](int64_t task, int thread, bool last) {
    const int64_t next = last ? task - 1 : task + 1;
    body(task, thread, next < tasks ? next : -1);
  };
  if (threads <= 1) {
    for (int64_t i = 0; i < tasks; ++i) work_on(reverse ? tasks - 1 - i : i, 0, reverse);
    return;
  }
  if (tasks >= TaskRange::kMost) {  // images of a few bytes
    parallel_ranges(tasks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) work_on(i, omp_get_thread_num(), false);
    });
    return;
  }
  std::vector<TaskRange> ranges(static_cast<size_t>(threads));
  for (int64_t t = 0; t < threads; ++t) {
    ranges[static_cast<size_t>(t)].set(tasks * t / threads, tasks * (t + 1) / threads);
  }
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    const int thread = omp_get_thread_num();
    for (int64_t i = 0; i < threads; ++i) {
      TaskRange& range = ranges[static_cast<size_t>((thread + i) % threads)];
      const bool last = reverse == (i == 0);
      int64_t task;
      while ((task = range.take(last)) >= 0) work_on(task, thread, last);
    }
  }
}

// Likewise body(task).
template <class Body>
void parallel_tasks(int64_t tasks, const Body& body) {
  parallel_tasks(tasks, tasks, 1, [&](int64_t task, int, int64_t) { body(task); });
}

// body(begin, end) over [0, n), the pixels or elements of a map: the threads go through it as through the images of
// parallel_tasks().
template <class Body>
void parallel_map(int64_t n, int64_t grain, const Body& body) {
  constexpr int64_t kPieces = 64;
  const int64_t pieces = std::min(kPieces, n / std::max<int64_t>(grain, 1));
  if (pieces <= 1) {
    if (n > 0) body(int64_t{0}, n);
    return;
  }
  parallel_tasks(pieces, [&](int64_t i) {
    body(n / pieces * i + n % pieces * i / pieces, n / pieces * (i + 1) + n % pieces * (i + 1) / pieces);
  });
}

inline int parallel_threads() { return omp_get_max_threads(); }

}  // namespace igcnet
