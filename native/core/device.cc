// Recording ops instead of enqueueing them. Checked in test/binding/recording.test.ts.
#include "core/device.h"

#include <utility>

#include "core/error.h"
#include "core/storage.h"

namespace igcnet {

void run_ops(const Recording& recording, Backend& backend) {
  std::exception_ptr first;
  for (const Device::Op& op : recording.ops) {
    try {
      op(backend);
    } catch (...) {
      if (first == nullptr) first = std::current_exception();
    }
  }
  if (first != nullptr) std::rethrow_exception(first);
}

void Device::submit(Op op) {
  if (recording_ == nullptr) return enqueue(std::move(op));
  recording_->ops.push_back(std::move(op));
}

void Device::upload(std::shared_ptr<std::byte[]> source, size_t bytes, const Output& y) {
  refuse_recording("values came from JavaScript (make the tensor before, and assign to it)");
  enqueue_upload(std::move(source), bytes, y);
}

void Device::download(const Input& x, std::byte* target, Completion done) {
  refuse_recording("values were read (read them behind it)");
  enqueue_download(x, target, std::move(done));
}

void Device::synchronize() {
  refuse_recording("the device was waited for");
  wait();
}

void Device::begin_recording() {
  if (between_) throw Error(ErrorCode::kUnsupported, "record: device " + name() + " is recording already");
  recording_ = std::make_shared<Recording>();
  recorded_ = {};
  recorded_.number = ++last_number_;
  between_ = true;
  allocator().use_pool(recorded_.number);
}

void Device::refuse_recording(const std::string& why) {
  if (recording_ == nullptr) return;
  const std::shared_ptr<Recording> so_far = std::exchange(recording_, nullptr);
  allocator().use_pool(0);
  recorded_.refused = why;
  for (Op& op : so_far->ops) enqueue(std::move(op));
}

Device::Recorded Device::end_recording() {
  if (!between_) throw Error(ErrorCode::kUnsupported, "record: device " + name() + " is not recording");
  between_ = false;
  allocator().use_pool(0);
  Recorded result = std::exchange(recorded_, {});
  result.recording = std::exchange(recording_, nullptr);
  if (result.recording == nullptr) {
    forget_recording(result.number);
    result.kept.clear();
  } else {
    replay(result.recording);
  }
  return result;
}

void Device::keep(const std::shared_ptr<Storage>& storage, uint64_t made_in) {
  if (recording_ != nullptr && made_in != recorded_.number) recorded_.kept.insert(storage);
}

void Device::enqueue_recording(const std::shared_ptr<Recording>& recording) {
  enqueue([recording](Backend& backend) { run_ops(*recording, backend); });
}

}  // namespace igcnet
