// The stream of a host device: a queue served by one thread, which runs the ops in order (and owns the
// OpenMP team of the device `cpu`). `reference` and `cpu` share it. Checked in test/binding/stream.test.ts.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace igcnet {

class HostStream {
 public:
  using Task = std::function<void()>;

  HostStream();
  ~HostStream();
  HostStream(const HostStream&) = delete;
  HostStream& operator=(const HostStream&) = delete;

  // Enqueues. Waits while kMaxQueued tasks wait, so that a loop that never reads a result cannot fill the memory.
  // A task that throws leaves its error to the next take_error(); the tasks behind it run all the same.
  void submit(Task task);
  // Blocks until everything enqueued has run.
  void synchronize();
  // The first error since the last call, or nullptr. Called by tasks.
  std::exception_ptr take_error();
  // Finishes the running task, drops the others (their captures are destroyed), ends the thread. Idempotent.
  void stop() noexcept;

 private:
  static constexpr size_t kMaxQueued = 8192;  // about 20 training steps of a depth 20 network

  void run();

  std::mutex mutex_;
  std::condition_variable work_, room_, idle_;
  std::deque<Task> queue_;
  bool busy_ = false, stopping_ = false;
  std::exception_ptr error_;  // touched by the stream's thread alone
  std::thread thread_;
};

}  // namespace igcnet
