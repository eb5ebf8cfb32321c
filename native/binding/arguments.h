// Reads the arguments of a native function, with an error that names op, expectation and what came.
// Everything read is a copy or shares ownership, so JavaScript that runs in between (getters) can do no harm. Options
// are read before the first tensor: a getter may begin a recording, which keeps only what is read afterwards.
#pragma once

#include <napi.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/batch_norm2d.h"
#include "core/storage.h"

namespace igcnet::binding {

// The named fields of an options object.
class Params {
 public:
  Params(const char* op, Napi::Object object) : op_(op), object_(object) {}

  int64_t integer(const char* name) const;   // a whole number up to 2^53 in size, any sign
  uint64_t counter(const char* name) const;  // a whole number from 0 to 2^53 - 1
  double number(const char* name) const;     // any number, NaN and infinities too
  double finite(const char* name) const;     // a finite number
  bool boolean(const char* name) const;
  std::string text(const char* name) const;
  Shape shape(const char* name) const;  // an array of sizes
  DType dtype(const char* name) const;

 private:
  Napi::Value get(const char* name) const;
  const char* op_;
  Napi::Object object_;
};

// A ReluSum that owns its norm.
struct GivenReluSum {
  Input more, side;
  std::optional<Norm> side_norm;

  ReluSum with(const NormWeights& gradients) const {
    return {more, side, side_norm ? &*side_norm : nullptr, side_norm ? &gradients : nullptr};
  }
};

class Arguments {
 public:
  // `op` is the public name of the op, such as "igcBlock".
  Arguments(const Napi::CallbackInfo& info, const char* op) : info_(info), op_(op) {}

  using Named = std::pair<const char*, const Tensor*>;

  Napi::Env env() const { return info_.Env(); }
  const char* op() const { return op_; }
  Napi::Value value(size_t index) const { return info_[index]; }
  Tensor tensor(size_t index, const char* name) const;
  // Of arrays, whose elements are all got before the first is read.
  std::vector<std::vector<Tensor>> tensors(std::initializer_list<std::pair<size_t, const char*>> arrays) const;
  std::optional<Tensor> optional_tensor(size_t index, const char* name) const;  // null or undefined: none
  // The norm [4, C] for x [.., C], a map; null or undefined: none. Throws ShapeError and what maps() does.
  std::optional<Norm> optional_norm(size_t index, const char* name, Named x, bool relu) const;
  // The gradient of a batch norm of y that was not carried out, dy [N, P, Q, K] being that behind it: from `index` on
  // its norm, y, dgamma and dbeta; a norm of null or undefined: none. Throws ShapeError and what maps() does.
  std::optional<NormGradient> optional_norm_gradient(size_t index, const Tensor& dy, bool relu, bool training) const;
  // The sum under the ReLU that x came out of: from `index` on the rest of the gradient of x, and a side of the sum
  // with its norm [4, C], which has no ReLU (both or none); none without the first. Throws TypeError beside a norm of
  // x, or where dx is not wanted.
  std::optional<GivenReluSum> optional_relu_sum(size_t index, Named x, bool has_norm, bool needs_input) const;
  Params params(size_t index) const;
  std::string text(size_t index, const char* name) const;

  // All on one device; throws DeviceError.
  void same_device(std::initializer_list<Named> tensors) const;
  // f32 or f64, of one dtype, on one device that computes in it. Throws DTypeError, DeviceError, UnsupportedError.
  void floating(std::initializer_list<Named> tensors) const;
  // The same for maps, which may be bf16 or f16, too; `parameters` are f32 beside those, else of the maps' dtype.
  void maps(std::initializer_list<Named> maps, std::initializer_list<Named> parameters = {}) const;
  // The tensor has just this shape; throws ShapeError.
  void shaped(Named tensor, const Shape& shape) const;
  void ranked(Named tensor, int rank, const char* letters) const;
  // A tensor that is updated in place shares its memory with none of the others; throws TypeError.
  void separate(Named updated, std::initializer_list<Named> others) const;

  // A JavaScript handle that owns the tensor.
  Napi::Value handle(Tensor tensor) const;
  // An uninitialised tensor beside `like`: same device and dtype.
  static Tensor beside(const Tensor& like, const Shape& shape);
  // Likewise; in the memory of `spare` itself if `over`, and if no handle but the one that it came by shares it, nor
  // what `sum` and `norm` read.
  static Tensor beside_or_over(const Tensor& spare, bool over, const Shape& shape,
                               const std::optional<GivenReluSum>& sum = {},
                               const std::optional<NormGradient>& norm = {});
  // Likewise, for a parameter or statistics beside a map.
  static Tensor parameter_beside(const Tensor& map, const Shape& shape);
  Napi::Value object(std::initializer_list<std::pair<const char*, Tensor>> tensors) const;

 private:
  Tensor tensor_in(const Napi::Value& value, const std::string& name) const;
  void same_device(const std::vector<Named>& tensors) const;

  const Napi::CallbackInfo& info_;
  const char* op_;
};

// What a value is, in words: "a string", "undefined", "-3".
std::string describe(const Napi::Value& value);
// The first 40 bytes or so of a text from JavaScript, for an error message.
std::string shortened(const std::string& text);

}  // namespace igcnet::binding
