#include "binding/arguments.h"

#include <cmath>

#include "binding/tensor.h"
#include "core/error.h"

namespace igcnet::binding {
namespace {

[[noreturn]] void fail(ErrorCode code, const char* op, const std::string& rest) {
  throw Error(code, std::string(op) + ": expected " + rest);
}

constexpr double kMaxSafeInteger = 9007199254740991.0;

bool is_safe_integer(double number) {
  return std::isfinite(number) && std::trunc(number) == number && std::abs(number) <= kMaxSafeInteger;
}

std::string describe_array(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return "an Int8Array";
    case napi_uint8_array:
      return "a Uint8Array";
    case napi_uint8_clamped_array:
      return "a Uint8ClampedArray";
    case napi_int16_array:
      return "an Int16Array";
    case napi_uint16_array:
      return "a Uint16Array";
    case napi_int32_array:
      return "an Int32Array";
    case napi_uint32_array:
      return "a Uint32Array";
    case napi_float32_array:
      return "a Float32Array";
    case napi_float64_array:
      return "a Float64Array";
    default:
      return "an array of big integers";
  }
}

}  // namespace

std::string describe(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return value.As<Napi::Boolean>() ? "true" : "false";
    case napi_number: {
      const double number = value.As<Napi::Number>().DoubleValue();
      if (is_safe_integer(number)) return std::to_string(static_cast<int64_t>(number));
      return std::isnan(number) ? "NaN" : value.ToString().Utf8Value();
    }
    case napi_string:
      return "a string";
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    case napi_bigint:
      return "a bigint";
    default:
      if (value.IsTypedArray()) return describe_array(value.As<Napi::TypedArray>().TypedArrayType());
      return value.IsArray() ? "an array" : "another object";
  }
}

std::string shortened(const std::string& text) {
  constexpr size_t kMost = 40;
  if (text.size() <= kMost) return text;
  size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a UTF-8 character
  return text.substr(0, end) + "…";
}

Napi::Value Params::get(const char* name) const { return object_.Get(name); }

uint64_t Params::counter(const char* name) const {
  const int64_t value = integer(name);
  if (value < 0) {
    throw Error(ErrorCode::kRange,
                std::string(op_) + ": expected a " + name + " of 0 or more but received " + std::to_string(value));
  }
  return static_cast<uint64_t>(value);
}

double Params::number(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsNumber()) {
    fail(ErrorCode::kArgument, op_, std::string("a number for ") + name + " but received " + describe(value));
  }
  return value.As<Napi::Number>().DoubleValue();
}

double Params::finite(const char* name) const {
  const double number_value = number(name);
  if (!std::isfinite(number_value)) {
    fail(ErrorCode::kRange, op_, std::string("a finite number for ") + name + " but received " + describe(get(name)));
  }
  return number_value;
}

int64_t Params::integer(const char* name) const {
  const double number_value = number(name);
  if (!is_safe_integer(number_value)) {
    fail(ErrorCode::kRange, op_, std::string("a whole number for ") + name + " but received " + describe(get(name)));
  }
  return static_cast<int64_t>(number_value);
}

bool Params::boolean(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsBoolean()) {
    fail(ErrorCode::kArgument, op_, std::string("true or false for ") + name + " but received " + describe(value));
  }
  return value.As<Napi::Boolean>();
}

std::string Params::text(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsString()) {
    fail(ErrorCode::kArgument, op_, std::string("a string for ") + name + " but received " + describe(value));
  }
  return value.As<Napi::String>();
}

Shape Params::shape(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsArray()) {
    fail(ErrorCode::kArgument, op_, std::string("an array of sizes for ") + name + " but received " + describe(value));
  }
  const auto array = value.As<Napi::Array>();
  if (array.Length() > kMaxRank) {
    fail(ErrorCode::kShape, op_,
         "at most " + std::to_string(kMaxRank) + " dimensions for " + name + " but received " +
             std::to_string(array.Length()));
  }
  int64_t dims[kMaxRank] = {};
  const uint32_t rank = array.Length();
  for (uint32_t i = 0; i < rank; ++i) {
    const Napi::Value dim = array.Get(i);
    if (!dim.IsNumber()) {
      fail(ErrorCode::kArgument, op_, std::string("numbers in ") + name + " but received " + describe(dim));
    }
    const double size = dim.As<Napi::Number>().DoubleValue();
    if (!is_safe_integer(size) || size < 0) {
      fail(ErrorCode::kShape, op_,
           std::string(size > kMaxSafeInteger ? "sizes of at most 2^53 - 1 in " : "whole sizes of 0 or more in ") +
               name + " but received " + describe(dim));
    }
    dims[i] = static_cast<int64_t>(size);
  }
  return {dims, static_cast<int>(rank)};
}

DType Params::dtype(const char* name) const {
  const std::string value = text(name);
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kI32, DType::kU8, DType::kBF16, DType::kF16}) {
    if (value == name_of(dtype)) return dtype;
  }
  fail(ErrorCode::kDType, op_,
       std::string("f32, f64, i32, u8, bf16 or f16 for ") + name + " but received " + shortened(value));
}

Tensor Arguments::tensor_in(const Napi::Value& value, const std::string& name) const {
  if (!is_handle(value)) {
    fail(ErrorCode::kArgument, op_, "a tensor for " + name + " but received " + describe(value));
  }
  const Tensor* tensor = tensor_of(value);
  if (tensor == nullptr) {
    fail(ErrorCode::kDisposed, op_, "a live tensor for " + name + " but received a disposed one");
  }
  tensor->device().keep(tensor->storage, tensor->storage->made_in());
  return *tensor;
}

Tensor Arguments::tensor(size_t index, const char* name) const { return tensor_in(info_[index], name); }

std::vector<std::vector<Tensor>> Arguments::tensors(
    std::initializer_list<std::pair<size_t, const char*>> arrays) const {
  std::vector<std::vector<std::pair<Napi::Value, std::string>>> elements;
  for (const auto& [index, name] : arrays) {
    const Napi::Value value = info_[index];
    if (!value.IsArray()) {
      fail(ErrorCode::kArgument, op_,
           std::string("an array of tensors for ") + name + " but received " + describe(value));
    }
    const auto array = value.As<Napi::Array>();
    elements.emplace_back();
    for (uint32_t i = 0; i < array.Length(); ++i) {
      elements.back().emplace_back(array.Get(i), std::string(name) + "[" + std::to_string(i) + "]");
    }
  }
  std::vector<std::vector<Tensor>> tensors;
  for (const auto& of_array : elements) {
    tensors.emplace_back();
    for (const auto& [value, name] : of_array) tensors.back().push_back(tensor_in(value, name));
  }
  return tensors;
}

std::optional<Tensor> Arguments::optional_tensor(size_t index, const char* name) const {
  const Napi::Value value = info_[index];
  if (value.IsNull() || value.IsUndefined()) return std::nullopt;
  return tensor(index, name);
}

std::optional<Norm> Arguments::optional_norm(size_t index, const char* name, Named x, bool relu) const {
  const std::optional<Tensor> rows = optional_tensor(index, name);
  if (!rows) return std::nullopt;
  maps({x}, {{name, &*rows}});
  const Shape& shape = x.second->shape;
  if (shape.rank() < 2) {
    const std::string x_name = x.first;
    fail(ErrorCode::kShape, op_,
         x_name + " [.., C] with at least two dimensions but received " + x_name + " " + shape.to_string());
  }
  shaped({name, &*rows}, {4, shape[shape.rank() - 1]});
  return norm_of(rows->input(), relu);
}

std::optional<NormGradient> Arguments::optional_norm_gradient(size_t index, const Tensor& dy, bool relu,
                                                              bool training) const {
  const std::optional<Tensor> rows = optional_tensor(index, "yNorm");
  if (!rows) return std::nullopt;
  const Tensor y = tensor(index + 1, "y"), dgamma = tensor(index + 2, "dgamma"), dbeta = tensor(index + 3, "dbeta");
  maps({{"dy", &dy}, {"y", &y}}, {{"yNorm", &*rows}, {"dgamma", &dgamma}, {"dbeta", &dbeta}});
  const int64_t K = dy.shape[3];
  shaped({"y", &y}, dy.shape);
  shaped({"yNorm", &*rows}, {4, K});
  shaped({"dgamma", &dgamma}, {K});
  shaped({"dbeta", &dbeta}, {K});
  return NormGradient{y.input(), norm_of(rows->input(), relu), dgamma.input(), dbeta.input(), training};
}

std::optional<GivenReluSum> Arguments::optional_relu_sum(size_t index, Named x, bool has_norm, bool needs_input) const {
  const std::optional<Tensor> more = optional_tensor(index, "more");
  if (!more) return std::nullopt;
  if (has_norm || !needs_input) {
    fail(ErrorCode::kArgument, op_,
         std::string("needsInput and no xNorm beside more but received ") +
             (has_norm ? "xNorm" : "needsInput that is false"));
  }
  const Tensor& tensor = *x.second;
  maps({x, {"more", &*more}});
  shaped({"more", &*more}, tensor.shape);
  GivenReluSum sum{more->input(), {nullptr, tensor.dtype, tensor.shape}, std::nullopt};
  const std::optional<Tensor> side = optional_tensor(index + 1, "side");
  if (side.has_value() != optional_tensor(index + 2, "sideNorm").has_value()) {
    this->tensor(side ? index + 2 : index + 1, side ? "sideNorm" : "side");  // throws
  }
  if (!side) return sum;
  maps({x, {"side", &*side}});
  shaped({"side", &*side}, tensor.shape);
  sum.side = side->input();
  sum.side_norm = optional_norm(index + 2, "sideNorm", {"side", &*side}, false);
  return sum;
}

Params Arguments::params(size_t index) const {
  const Napi::Value value = info_[index];
  if (!value.IsObject()) fail(ErrorCode::kArgument, op_, "an options object but received " + describe(value));
  return {op_, value.As<Napi::Object>()};
}

std::string Arguments::text(size_t index, const char* name) const {
  const Napi::Value value = info_[index];
  if (!value.IsString()) {
    fail(ErrorCode::kArgument, op_, std::string("a string for ") + name + " but received " + describe(value));
  }
  return value.As<Napi::String>();
}

void Arguments::same_device(std::initializer_list<Named> tensors) const { same_device(std::vector<Named>(tensors)); }

void Arguments::same_device(const std::vector<Named>& tensors) const {
  const auto& [first_name, first] = tensors.front();
  for (const auto& [name, tensor] : tensors) {
    if (&tensor->device() != &first->device()) {
      fail(ErrorCode::kDevice, op_,
           std::string("tensors of one device but received ") + first_name + " on " + first->device().name() + " and " +
               name + " on " + tensor->device().name());
    }
  }
}

void Arguments::floating(std::initializer_list<Named> tensors) const {
  same_device(tensors);
  for (const auto& [name, tensor] : tensors) {
    if (is_half(tensor->dtype)) {
      fail(ErrorCode::kDType, op_,
           std::string("f32 or f64 for ") + name + " but received " + std::string(name_of(tensor->dtype)) +
               " (in which maps are stored, but not parameters)");
    }
  }
  maps(tensors);
}

void Arguments::maps(std::initializer_list<Named> maps, std::initializer_list<Named> parameters) const {
  std::vector<Named> all(maps);
  all.insert(all.end(), parameters);
  const auto& [first_name, first] = all.front();
  same_device(all);
  for (size_t i = 0; i < all.size(); ++i) {
    const auto& [name, tensor] = all[i];
    const std::string received(name_of(tensor->dtype));
    if (!is_floating(tensor->dtype) && !is_half(tensor->dtype)) {
      fail(ErrorCode::kDType, op_, std::string("a floating dtype for ") + name + " but received " + received);
    }
    if (i >= maps.size() && is_half(first->dtype)) {
      if (tensor->dtype == DType::kF32) continue;
      fail(ErrorCode::kDType, op_,
           std::string("f32 for ") + name + " beside " + first_name + " " + std::string(name_of(first->dtype)) +
               " but received " + received);
    }
    if (tensor->dtype != first->dtype) {
      fail(ErrorCode::kDType, op_,
           std::string("one dtype but received ") + first_name + " " + std::string(name_of(first->dtype)) + " and " +
               name + " " + received);
    }
  }
  if (!first->device().backend().supports(first->dtype)) {
    fail(ErrorCode::kUnsupported, op_,
         "a dtype that device " + first->device().name() + " computes in but received " +
             std::string(name_of(first->dtype)) +
             (is_half(first->dtype) ? " (the device cuda computes in f32, bf16 and f16)"
                                    : " (the device reference computes in f32 and f64)"));
  }
}

void Arguments::shaped(Named tensor, const Shape& shape) const {
  if (tensor.second->shape == shape) return;
  fail(ErrorCode::kShape, op_,
       std::string(tensor.first) + " " + shape.to_string() + " but received " + tensor.first + " " +
           tensor.second->shape.to_string());
}

void Arguments::ranked(Named tensor, int rank, const char* letters) const {
  if (tensor.second->shape.rank() == rank) return;
  fail(ErrorCode::kShape, op_,
       std::string(tensor.first) + " " + letters + " but received " + tensor.first + " " +
           tensor.second->shape.to_string());
}

void Arguments::separate(Named updated, std::initializer_list<Named> others) const {
  for (const auto& [name, tensor] : others) {
    if (tensor->storage == updated.second->storage) {
      fail(ErrorCode::kArgument, op_,
           std::string(updated.first) + ", which is updated, in memory of its own but received that of " + name);
    }
  }
}

Napi::Value Arguments::handle(Tensor tensor) const { return make_handle(env(), std::move(tensor)); }

Tensor Arguments::beside(const Tensor& like, const Shape& shape) {
  return make_tensor(like.storage->shared_device(), like.dtype, shape);
}

Tensor Arguments::beside_or_over(const Tensor& spare, bool over, const Shape& shape,
                                 const std::optional<GivenReluSum>& sum, const std::optional<NormGradient>& norm) {
  constexpr long kOwners = 2;  // the handle and `spare`
  const void* const data = spare.input().data;
  const bool read = (sum && (sum->more.data == data || sum->side.data == data)) || (norm && norm->x.data == data);
  const bool alone = over && !read && spare.shape == shape && spare.storage.use_count() == kOwners &&
                     spare.storage->made_in() == spare.device().recording_number();  // a repetition finds it anew
  return alone ? spare : beside(spare, shape);
}

Tensor Arguments::parameter_beside(const Tensor& map, const Shape& shape) {
  return make_tensor(map.storage->shared_device(), parameter_dtype(map.dtype), shape);
}

Napi::Value Arguments::object(std::initializer_list<std::pair<const char*, Tensor>> tensors) const {
  auto result = Napi::Object::New(env());
  for (const auto& [name, tensor] : tensors) result.Set(name, handle(tensor));
  return result;
}

}  // namespace igcnet::binding
