#include "core/host_stream.h"

#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace igcnet {
namespace {

// condition_variable::wait would ask for the libstdc++ of GCC 12, and a prebuilt binary shall do with that of GCC 11.
template <class Condition>
void wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, const Condition& condition) {
  while (!changed.wait_for(lock, std::chrono::hours(1), condition)) continue;
}

}  // namespace

HostStream::HostStream() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kDevice,
                std::string("device: expected a thread for its stream but received: ") + error.what());
  }
}

HostStream::~HostStream() { stop(); }

void HostStream::submit(Task task) {
  {
    std::unique_lock lock(mutex_);
    wait_until(room_, lock, [&] { return queue_.size() < kMaxQueued || stopping_; });
    if (stopping_) throw Error(ErrorCode::kDevice, "device: expected a running device but it was shut down");
    queue_.push_back(std::move(task));
  }
  work_.notify_one();
}

void HostStream::synchronize() {
  std::unique_lock lock(mutex_);
  wait_until(idle_, lock, [&] { return (queue_.empty() && !busy_) || stopping_; });
}

std::exception_ptr HostStream::take_error() { return std::exchange(error_, nullptr); }

void HostStream::stop() noexcept {
  std::deque<Task> dropped;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  work_.notify_all();
  room_.notify_all();
  idle_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void HostStream::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wait_until(work_, lock, [&] { return !queue_.empty() || stopping_; });
    if (stopping_) return;
    {
      Task task = std::move(queue_.front());
      queue_.pop_front();
      if (queue_.size() + 1 == kMaxQueued) room_.notify_all();
      busy_ = true;
      lock.unlock();
      try {
        task();
      } catch (...) {
        if (!error_) error_ = std::current_exception();
      }
    }  // the task's captures end before it counts as done
    lock.lock();
    busy_ = false;
    // Who waits for the end is woken then, not after each task: it would take the core of a thread that computes.
    if (queue_.empty()) idle_.notify_all();
  }
}

}  // namespace igcnet
