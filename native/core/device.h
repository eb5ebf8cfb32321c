// A device: a backend, the memory it works on, and the stream on which its ops run in order.
// One instance per device and JavaScript environment; all methods are called on that environment's thread.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/allocator.h"
#include "core/backend.h"
#include "core/tensor.h"

namespace igcnet {

inline constexpr int kMaxThreads = 1024;  // that a device may be asked to use

class Storage;

// Ops in order, to be run again and again as one piece, on the memory that they had when they were recorded.
struct Recording {
  std::vector<std::function<void(Backend&)>> ops;
  // What the device made of the ops, of use on the stream's thread alone (a CUDA graph); null: nothing.
  std::shared_ptr<void> form;
  int attempts = 0;  // to make it
};

class Device {
 public:
  using Op = std::function<void(Backend&)>;
  // Receives nullptr, or the first error of the ops before it. Called on another thread.
  using Completion = std::function<void(std::exception_ptr)>;

  virtual ~Device() = default;
  virtual const std::string& name() const = 0;
  virtual const Backend& backend() const = 0;
  virtual CachingAllocator& allocator() = 0;
  // Runs the op behind everything enqueued before. The op holds raw pointers: memory is freed in stream order.
  void submit(Op op);
  // Copies `bytes` host bytes (owned by the call) into y.
  void upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y);
  // Copies x to `target`, which must live until `done` was called.
  void download(const Input& x, std::byte* target, Completion done);
  // Blocks until everything enqueued has run. Reports no error.
  void synchronize();
  // Ends the stream; nothing may be submitted after it. Idempotent.
  virtual void shutdown() noexcept = 0;

  // From here to end_recording() ops are recorded; they run when the recording ends, so everything takes place once.
  // Memory that is allocated in between belongs to the recording (allocator.h), which numbers from 1 on; memory from
  // before that an op reads or writes is kept.
  struct Recorded {
    std::shared_ptr<Recording> recording;  // null: refused
    std::string refused;                   // why
    uint64_t number = 0;
    std::unordered_set<std::shared_ptr<Storage>> kept;
  };
  void begin_recording();
  Recorded end_recording();
  // Of the recording under way; 0: none.
  uint64_t recording_number() const { return recording_ ? recorded_.number : 0; }
  void keep(const std::shared_ptr<Storage>& storage, uint64_t made_in);
  // For an op that may not be repeated as it is: what was recorded runs now, what follows as always.
  void refuse_recording(const std::string& why);
  // Runs the ops again, behind everything enqueued before.
  void replay(const std::shared_ptr<Recording>& recording) { enqueue_recording(recording); }
  // Memory of a recording that nobody will replay any more.
  void forget_recording(uint64_t number) noexcept { allocator().release_pool(number); }

 protected:
  virtual void enqueue(Op op) = 0;
  virtual void enqueue_upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) = 0;
  virtual void enqueue_download(const Input& x, std::byte* target, Completion done) = 0;
  virtual void wait() = 0;
  // The default runs the ops one after the other.
  virtual void enqueue_recording(const std::shared_ptr<Recording>& recording);

 private:
  std::shared_ptr<Recording> recording_;  // the one under way
  Recorded recorded_;                     // what it will give
  bool between_ = false;                  // begin_recording() and end_recording()
  uint64_t last_number_ = 0;
};

// Runs all ops, also behind one that throws, as the stream does; then throws the first error.
void run_ops(const Recording& recording, Backend& backend);

}  // namespace igcnet
