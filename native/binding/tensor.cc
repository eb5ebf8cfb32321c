// Creating, reading and disposing of tensors. Checked in test/binding/tensor.test.ts.
#include "binding/tensor.h"

#include <cstring>
#include <memory>
#include <utility>

#include "binding/addon.h"
#include "binding/arguments.h"
#include "core/error.h"
#include "core/host_memory.h"

namespace igcnet::binding {
namespace {

// A random 128-bit number, made once for this type.
constexpr napi_type_tag kTensorTag = {0x7f1d0c6b5ae94c31, 0x9b62d8f4e0a7135d};

}  // namespace

Napi::Value make_handle(Napi::Env env, Tensor tensor) {
  auto object = Napi::Object::New(env);
  auto wrapped = std::make_unique<Tensor>(std::move(tensor));
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<Tensor*>(data); };
  const auto refused = [] { throw Error(ErrorCode::kInternal, "tensor: the environment refused a handle"); };
  if (napi_wrap(env, object, wrapped.get(), finalize, nullptr, nullptr) != napi_ok) refused();
  wrapped.release();  // the finalizer's from now on
  if (napi_type_tag_object(env, object, &kTensorTag) != napi_ok) refused();
  Addon::of(env).announce_memory(env);
  return object;
}

bool is_handle(const Napi::Value& value) {
  if (!value.IsObject()) return false;
  const napi_env env = value.Env();
  bool ours = false;
  if (napi_check_object_type_tag(env, value, &kTensorTag, &ours) == napi_ok) return ours;
  bool pending = false;  // a Proxy may refuse the check with an exception: it is foreign all the same
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
    napi_value ignored;
    napi_get_and_clear_last_exception(env, &ignored);
  }
  return false;
}

const Tensor* tensor_of(const Napi::Value& handle) {
  void* data = nullptr;
  return napi_unwrap(handle.Env(), handle, &data) == napi_ok ? static_cast<const Tensor*>(data) : nullptr;
}

namespace {

struct TypedArrayKind {
  DType dtype;
  napi_typedarray_type type;
};
constexpr TypedArrayKind kKinds[] = {{DType::kF32, napi_float32_array}, {DType::kF64, napi_float64_array},
                                     {DType::kI32, napi_int32_array},   {DType::kU8, napi_uint8_array},
                                     {DType::kBF16, napi_uint16_array},  // the bits
                                     {DType::kF16, napi_uint16_array}};

napi_typedarray_type array_type(DType dtype) {
  for (const auto& kind : kKinds) {
    if (kind.dtype == dtype) return kind.type;
  }
  throw Error(ErrorCode::kInternal, "tensor: a dtype without a typed array");
}

// A copy of the typed array `data`, of this dtype and as many values as the shape has.
std::shared_ptr<std::byte[]> copy_of(const Arguments& args, const Napi::Value& data, DType dtype, const Shape& shape) {
  if (!data.IsTypedArray() || data.As<Napi::TypedArray>().TypedArrayType() != array_type(dtype)) {
    throw Error(ErrorCode::kArgument, std::string(args.op()) + ": expected a typed array of dtype " +
                                          std::string(name_of(dtype)) + " for data but received " + describe(data));
  }
  napi_typedarray_type type;
  size_t length = 0;
  void* source = nullptr;
  if (napi_get_typedarray_info(data.Env(), data, &type, &length, &source, nullptr, nullptr) != napi_ok) {
    throw Error(ErrorCode::kArgument, std::string(args.op()) + ": expected a readable typed array for data");
  }
  if (static_cast<int64_t>(length) != shape.elements()) {
    throw Error(ErrorCode::kShape, std::string(args.op()) + ": expected " + std::to_string(shape.elements()) +
                                       " values for shape " + shape.to_string() + " but received " +
                                       std::to_string(length));
  }
  const size_t bytes = length * size_of(dtype);
  expect_host_memory(args.op(), bytes);
  std::shared_ptr<std::byte[]> copy(new std::byte[bytes]);
  if (bytes > 0) std::memcpy(copy.get(), source, bytes);
  return copy;
}

// tensorCreate({ device, dtype, shape }, data?): data is a typed array of that dtype, copied; without it
// the memory is uninitialised, and every caller in src/ writes it whole.
Napi::Value tensor_create(const Napi::CallbackInfo& info) {
  const Arguments args(info, "tensor");
  const Params p = args.params(0);
  const auto& device = Addon::of(info.Env()).device(p.text("device"));
  const DType dtype = p.dtype("dtype");
  const Shape shape = p.shape("shape");
  const Napi::Value data = args.value(1);
  if (data.IsUndefined()) return args.handle(make_tensor(device, dtype, shape));
  std::shared_ptr<std::byte[]> values = copy_of(args, data, dtype, shape);
  Tensor tensor = make_tensor(device, dtype, shape);
  device->upload(std::move(values), tensor.bytes(), tensor.output());
  return args.handle(std::move(tensor));
}

// tensorAssign(y, data): the values of a typed array of its dtype, copied, in place.
Napi::Value tensor_assign(const Napi::CallbackInfo& info) {
  const Arguments args(info, "assign");
  const Tensor y = args.tensor(0, "y");
  std::shared_ptr<std::byte[]> values = copy_of(args, args.value(1), y.dtype, y.shape);
  y.device().upload(std::move(values), y.bytes(), y.updated());  // counted as an update only here
  return info.Env().Undefined();
}

std::byte* bytes_of(const Napi::TypedArray& array) {
  void* data = nullptr;
  if (napi_get_typedarray_info(array.Env(), array, nullptr, nullptr, &data, nullptr, nullptr) != napi_ok) {
    throw Error(ErrorCode::kInternal, "data: the environment refused the memory of a typed array");
  }
  return static_cast<std::byte*>(data);
}

// tensorRead(x): a promise of a typed array with the values. The stream writes into the array, which JavaScript sees
// only then.
Napi::Value tensor_read(const Napi::CallbackInfo& info) {
  const Arguments args(info, "data");
  const Tensor x = args.tensor(0, "x");
  Addon& addon = Addon::of(info.Env());
  const Napi::TypedArray target = addon.new_array(x.dtype, x.shape.elements());
  return addon.completions().promise(
      target, [&](Completions::Done done) { x.device().download(x.input(), bytes_of(target), std::move(done)); });
}

// tensorReadSync(x): blocks until everything before it ran.
Napi::Value tensor_read_sync(const Napi::CallbackInfo& info) {
  const Arguments args(info, "dataSync");
  const Tensor x = args.tensor(0, "x");
  const Napi::TypedArray target = Addon::of(info.Env()).new_array(x.dtype, x.shape.elements());
  std::exception_ptr error;
  x.device().download(x.input(), bytes_of(target), [&error](std::exception_ptr first) { error = first; });
  x.device().synchronize();
  if (error != nullptr) std::rethrow_exception(error);
  return target;
}

// tensorReshape(x, { shape }): another handle on the same memory.
Napi::Value tensor_reshape(const Napi::CallbackInfo& info) {
  const Arguments args(info, "reshape");
  const Shape shape = args.params(1).shape("shape");
  Tensor x = args.tensor(0, "x");
  if (shape.elements() != x.shape.elements()) {
    throw Error(ErrorCode::kShape, "reshape: expected a shape of " + std::to_string(x.shape.elements()) +
                                       " elements for x " + x.shape.to_string() + " but received " + shape.to_string());
  }
  x.shape = shape;
  return args.handle(std::move(x));
}

// tensorRetain(x): another handle on the same memory and shape, with a life of its own.
Napi::Value tensor_retain(const Napi::CallbackInfo& info) {
  const Arguments args(info, "tensor");
  return args.handle(args.tensor(0, "x"));
}

// tensorDispose(x): twice is allowed.
Napi::Value tensor_dispose(const Napi::CallbackInfo& info) {
  if (!is_handle(info[0])) {
    throw Error(ErrorCode::kArgument, "dispose: expected a tensor but received " + describe(info[0]));
  }
  void* data = nullptr;
  if (napi_remove_wrap(info.Env(), info[0], &data) == napi_ok) delete static_cast<Tensor*>(data);
  Addon::of(info.Env()).announce_memory(info.Env());
  return info.Env().Undefined();
}

// tensorUpdates(x): how often the values were updated in place, through any handle on that memory.
Napi::Value tensor_updates(const Napi::CallbackInfo& info) {
  const Arguments args(info, "tensor");
  return Napi::Number::New(info.Env(), static_cast<double>(args.tensor(0, "x").storage->updates()));
}

// tensorShared(x): whether the memory has other handles, or a recording keeps it.
Napi::Value tensor_shared(const Napi::CallbackInfo& info) {
  constexpr long kOwners = 2;  // the handle and `x`
  const Arguments args(info, "tensor");
  const Tensor x = args.tensor(0, "x");
  return Napi::Boolean::New(info.Env(), x.storage.use_count() > kOwners);
}

// tensorInfo(x): { shape, dtype, device }.
Napi::Value tensor_info(const Napi::CallbackInfo& info) {
  const Arguments args(info, "tensor");
  const Tensor x = args.tensor(0, "x");
  auto result = Napi::Object::New(info.Env());
  auto shape = Napi::Array::New(info.Env(), static_cast<size_t>(x.shape.rank()));
  for (int i = 0; i < x.shape.rank(); ++i) shape.Set(static_cast<uint32_t>(i), static_cast<double>(x.shape[i]));
  result.Set("shape", shape);
  result.Set("dtype", std::string(name_of(x.dtype)));
  result.Set("device", x.device().name());
  return result;
}

}  // namespace

void define_tensor(Napi::Object& exports) {
  define<tensor_create>(exports, "tensorCreate");
  define<tensor_assign>(exports, "tensorAssign");
  define<tensor_read>(exports, "tensorRead");
  define<tensor_read_sync>(exports, "tensorReadSync");
  define<tensor_reshape>(exports, "tensorReshape");
  define<tensor_retain>(exports, "tensorRetain");
  define<tensor_dispose>(exports, "tensorDispose");
  define<tensor_info>(exports, "tensorInfo");
  define<tensor_updates>(exports, "tensorUpdates");
  define<tensor_shared>(exports, "tensorShared");
}

}  // namespace igcnet::binding
