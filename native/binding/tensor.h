// The JavaScript handle of a tensor: an object that wraps a NativeTensor and carries our type tag, so that a foreign
// object is told from ours. JavaScript sees shape, dtype and device as plain properties, fixed at creation.
#pragma once

#include <napi.h>

#include <optional>

#include "core/storage.h"

namespace igcnet::binding {

struct NativeTensor {
  std::optional<Tensor> tensor;  // none once disposed

  // nullptr unless the value is one of our handles.
  static NativeTensor* from(const Napi::Value& value);
  static Napi::Value create(Napi::Env env, Tensor tensor);
};

}  // namespace igcnet::binding
