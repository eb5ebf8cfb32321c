// The owner of a tensor's memory, shared by the tensors that look at it (reshape), and the owning form of a tensor.
#pragma once

#include <memory>

#include "core/device.h"

namespace igcnet {

class Storage {
 public:
  Storage(std::shared_ptr<Device> device, size_t bytes)
      : device_(std::move(device)),
        data_(device_->allocator().allocate(bytes)),
        bytes_(bytes),
        made_in_(device_->recording_number()) {}
  ~Storage() { device_->allocator().free(data_); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device& device() const { return *device_; }
  const std::shared_ptr<Device>& shared_device() const { return device_; }
  // The recording in which it was made; 0: none.
  uint64_t made_in() const { return made_in_; }
  // How often its values were updated in place. JavaScript's thread counts, as it enqueues the ops that do.
  uint64_t updates() const { return updates_; }
  void count_update() { ++updates_; }

 private:
  std::shared_ptr<Device> device_;
  void* data_;
  size_t bytes_;
  uint64_t made_in_;
  uint64_t updates_ = 0;
};

struct Tensor {
  std::shared_ptr<Storage> storage;
  DType dtype = DType::kF32;
  Shape shape;

  Device& device() const { return storage->device(); }
  Input input() const { return {storage->data(), dtype, shape}; }
  // Of an op whose result this tensor is.
  Output output() const { return {storage->data(), dtype, shape}; }
  // Of an op that updates it in place.
  Output updated() const {
    storage->count_update();
    return output();
  }
  size_t bytes() const { return static_cast<size_t>(shape.elements()) * size_of(dtype); }
  // Without elements. An op with only such results is not enqueued: a loop over the rows of [2^50, 0] would not end.
  bool empty() const { return shape.elements() == 0; }
};

// Uninitialised memory on a device.
inline Tensor make_tensor(const std::shared_ptr<Device>& device, DType dtype, const Shape& shape) {
  const size_t bytes = static_cast<size_t>(shape.elements()) * size_of(dtype);
  return {std::make_shared<Storage>(device, bytes), dtype, shape};
}

}  // namespace igcnet
