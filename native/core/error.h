// Every failure of the native code is an igcnet::Error: a code that names the JavaScript class, and
// one sentence for the user. native/binding maps it at the border (guard); src/errors.ts has the classes.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace igcnet {

enum class ErrorCode {
  kShape,        // ShapeError        sizes that do not fit
  kDType,        // DTypeError        an element type that the op does not take
  kDevice,       // DeviceError       unknown or missing device, tensors of different devices
  kUnsupported,  // UnsupportedError  the device has no such op
  kOutOfMemory,  // OutOfMemoryError
  kDisposed,     // DisposedError     use after dispose()
  kData,         // DataError         values that make no sense, such as a label out of range
  kArgument,     // TypeError         not the kind of JavaScript value that was asked for
  kRange,        // RangeError        a number outside of its range
  kCuda,         // CudaError         CUDA, cuDNN or cuBLAS failed
  kInternal,     // InternalError     a fault of igcnet itself
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace igcnet
