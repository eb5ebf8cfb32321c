// The JavaScript handle of a tensor: an object that wraps a Tensor and carries our type tag, so that a foreign object
// is told from ours. Disposing of a handle removes the wrap at once: its finalizer would wait for the event loop, and a
// synchronous training loop would pile them up. Checked in test/binding/tensor.test.ts and memory.test.ts.
#pragma once

#include <napi.h>

#include "core/storage.h"

namespace igcnet::binding {

Napi::Value make_handle(Napi::Env env, Tensor tensor);
// Whether the value is one of our handles, disposed of or not.
bool is_handle(const Napi::Value& value);
// The tensor of a handle; nullptr once it was disposed of.
const Tensor* tensor_of(const Napi::Value& handle);

}  // namespace igcnet::binding
