// Checked in test/binding/.
#include "binding/addon.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "binding/arguments.h"
#include "binding/thread_limit.h"
#include "core/host_device.h"
#include "core/host_memory.h"
#include "core/plugin.h"
#include "cpu/cpu.h"
#include "reference/reference.h"

namespace igcnet::binding {
namespace {

const char* class_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kShape:
      return "ShapeError";
    case ErrorCode::kDType:
      return "DTypeError";
    case ErrorCode::kDevice:
      return "DeviceError";
    case ErrorCode::kUnsupported:
      return "UnsupportedError";
    case ErrorCode::kOutOfMemory:
      return "OutOfMemoryError";
    case ErrorCode::kDisposed:
      return "DisposedError";
    case ErrorCode::kCuda:
      return "CudaError";
    case ErrorCode::kData:
      return "DataError";
    case ErrorCode::kArgument:
      return "TypeError";
    case ErrorCode::kRange:
      return "RangeError";
    case ErrorCode::kInternal:
      return "InternalError";
  }
  return "InternalError";
}

constexpr std::pair<DType, const char*> kArrayClasses[] = {{DType::kF32, "Float32Array"}, {DType::kF64, "Float64Array"},
                                                           {DType::kI32, "Int32Array"},   {DType::kU8, "Uint8Array"},
                                                           {DType::kBF16, "Uint16Array"}, {DType::kF16, "Uint16Array"}};

// A variable of process.env, which in a worker is its own; empty when it is not set.
std::string environment_variable(Napi::Env env, const char* name) {
  Napi::Value value = env.Global();
  for (const char* key : {"process", "env", name}) {
    if (!value.IsObject()) return {};
    value = value.As<Napi::Object>().Get(key);
  }
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

// The value of IGCNET_THREADS; 0 when it is not set: all cores.
int threads_asked_for(Napi::Env env) {
  const std::string value = environment_variable(env, "IGCNET_THREADS");
  if (value.empty()) return 0;
  int threads = 0;
  const char* end = value.data() + value.size();
  const auto [rest, status] = std::from_chars(value.data(), end, threads);
  if (status != std::errc() || rest != end || threads < 1 || threads > kMaxThreads) {
    throw Error(ErrorCode::kRange, "IGCNET_THREADS: expected 1 to " + std::to_string(kMaxThreads) +
                                       " threads but received " + shortened(value));
  }
  return threads;
}

// For the device `cpu`, which takes `own` threads unless told otherwise; 0: it may take those.
int threads_to_set(int asked, int64_t own) {
  if (asked > 0) {
    expect_threads("IGCNET_THREADS", asked);
    return asked;
  }
  const int64_t given = own > 1 ? threads_given(own) : own;
  return given == own ? 0 : static_cast<int>(std::max<int64_t>(given, 1));
}

}  // namespace

Addon::Addon(Napi::Env env) : completions_(env), process_exit_(env, [this] { stop_streams(); }) {
  for (const auto& [dtype, name] : kArrayClasses) {
    array_classes_[dtype] = Napi::Persistent(env.Global().Get(name).As<Napi::Function>());
  }
}

Addon::~Addon() { shutdown(); }

void Addon::shutdown() noexcept {
  stop_streams();
  completions_.close();
}

void Addon::stop_streams() noexcept {
  for (const auto& [name, device] : devices_) device->shutdown();
}

const std::shared_ptr<Device>& Addon::device(const std::string& name) {
  const auto alias = resolved_.find(name);
  const auto found = devices_.find(alias == resolved_.end() ? name : alias->second);
  if (found != devices_.end()) return found->second;
  if (name == "auto" || name.compare(0, 4, "cuda") == 0) return load_device(name);
  return make_device(name);
}

// A device of the addon itself.
const std::shared_ptr<Device>& Addon::make_device(const std::string& name) {
  const auto found = devices_.find(name);
  if (found != devices_.end()) return found->second;
  std::unique_ptr<Backend> backend;
  if (name == "cpu") backend = make_cpu_backend();
  if (name == "reference") backend = make_reference_backend();
  if (backend == nullptr) {
    throw Error(ErrorCode::kDevice,
                "device: expected cpu, reference, cuda, cuda:N or auto but received " + shortened(name));
  }
  const int asked = threads_asked_for(array_classes_.at(DType::kF32).Env());
  const int threads = name == "cpu" ? threads_to_set(asked, backend->info().threads) : 0;
  const auto device = std::make_shared<HostDevice>(std::move(backend));
  if (threads > 0) device->submit([threads](Backend& made) { made.set_threads(threads); });
  return devices_[name] = device;
}

// A device that the loader finds: { name } of ours, or { name, plugin, ordinal }.
const std::shared_ptr<Device>& Addon::load_device(const std::string& name) {
  if (device_loader_.IsEmpty()) {
    throw Error(ErrorCode::kDevice, "device " + shortened(name) + " is not available: nobody was set to look for it");
  }
  const Napi::Value value = device_loader_.Call({Napi::String::New(device_loader_.Env(), name)});
  if (!value.IsObject()) {
    throw Error(ErrorCode::kArgument, "device: expected an object from the loader but received " + describe(value));
  }
  const auto answer = value.As<Napi::Object>();
  const Params params("device", answer);
  const std::string own = params.text("name");
  resolved_[name] = own;
  if (answer.Get("plugin").IsUndefined()) return make_device(own);
  const auto found = devices_.find(own);
  if (found != devices_.end()) return found->second;
  const DevicePlugin& plugin = load_device_plugin(params.text("plugin"));
  return devices_[own] = plugin.make_device(static_cast<int>(params.integer("ordinal")), own);
}

// A training step fills and empties the memory many times a second. Told of each time, V8 would look for garbage in
// every step, so it hears of growth at once and of what was given back when a second has passed without it being used
// again.
void Addon::announce_memory(Napi::Env env) {
  constexpr int64_t kStep = int64_t{1} << 20;  // changes under 1 MiB do not move the garbage collector
  constexpr std::chrono::seconds kWindow(1);
  int64_t bytes = 0;
  for (const auto& [name, device] : devices_) bytes += static_cast<int64_t>(device->allocator().stats().bytes_in_use);
  most_bytes_ = std::max(most_bytes_, bytes);
  const auto now = std::chrono::steady_clock::now();
  int64_t announced = std::max(announced_bytes_, most_bytes_);
  if (now - window_start_ >= kWindow) {
    announced = most_bytes_;
    most_bytes_ = bytes;
    window_start_ = now;
  }
  const int64_t change = announced - announced_bytes_;
  if (change < kStep && change > -kStep) return;
  announced_bytes_ = announced;
  Napi::MemoryManagement::AdjustExternalMemory(env, change);
}

Napi::TypedArray Addon::new_array(DType dtype, int64_t length) const {
  const std::string sizes = std::to_string(length) + " values of dtype " + std::string(name_of(dtype));
  expect_host_memory("data", static_cast<size_t>(length) * size_of(dtype));
  try {
    const Napi::FunctionReference& array_class = array_classes_.at(dtype);
    const Napi::Value array = array_class.New({Napi::Number::New(array_class.Env(), static_cast<double>(length))});
    if (array.IsTypedArray() &&
        array.As<Napi::TypedArray>().ByteLength() == static_cast<size_t>(length) * size_of(dtype)) {
      return array.As<Napi::TypedArray>();
    }
    throw Error(ErrorCode::kInternal, "data: expected a typed array of " + sizes + " but received " + describe(array) +
                                          " from a class that was replaced");
  } catch (const Napi::Error& error) {  // a RangeError: too long for JavaScript, or no memory
    throw Error(ErrorCode::kOutOfMemory,
                "data: expected a typed array of " + sizes + " but received: " + error.Message());
  }
}

void Addon::set_error_classes(const Napi::Object& classes) {
  std::map<std::string, Napi::FunctionReference> received;
  for (const char* name : {"ShapeError", "DTypeError", "DeviceError", "UnsupportedError", "OutOfMemoryError",
                           "DisposedError", "DataError", "CudaError", "InternalError"}) {
    const Napi::Value value = classes.Get(name);
    if (!value.IsFunction()) {
      throw Error(ErrorCode::kArgument,
                  std::string("setErrorClasses: expected a class for ") + name + " but received " + describe(value));
    }
    received[name] = Napi::Persistent(value.As<Napi::Function>());
  }
  error_classes_ = std::move(received);  // all or none
}

Napi::Error Addon::to_js(Napi::Env env, ErrorCode code, const std::string& message) const {
  if (code == ErrorCode::kArgument) return Napi::TypeError::New(env, message);
  if (code == ErrorCode::kRange) return Napi::RangeError::New(env, message);
  const auto found = error_classes_.find(class_name(code));
  if (found == error_classes_.end()) return Napi::Error::New(env, message);
  return Napi::Error(env, found->second.New({Napi::String::New(env, message)}));
}

Napi::Error Addon::to_js(Napi::Env env, std::exception_ptr error) const {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return to_js(env, known.code(), known.what());
  } catch (const std::bad_alloc&) {
    return to_js(env, ErrorCode::kOutOfMemory, "host: out of memory");
  } catch (const std::exception& unknown) {
    return to_js(env, ErrorCode::kInternal, unknown.what());
  } catch (...) {
    return to_js(env, ErrorCode::kInternal, "an unknown native error");
  }
}

namespace {

Napi::Value set_error_classes(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) {
    throw Error(ErrorCode::kArgument,
                "setErrorClasses: expected an object of classes but received " + describe(info[0]));
  }
  Addon::of(info.Env()).set_error_classes(info[0].As<Napi::Object>());
  return info.Env().Undefined();
}

// setDeviceLoader(load): load(name) -> { name } or { name, plugin, ordinal }.
Napi::Value set_device_loader(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) {
    throw Error(ErrorCode::kArgument, "setDeviceLoader: expected a function but received " + describe(info[0]));
  }
  Addon::of(info.Env()).set_device_loader(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  const std::string unsupported = why_not_this_processor();
  if (!unsupported.empty()) throw Napi::Error::New(env, unsupported);
  auto* addon = new Addon(env);
  env.SetInstanceData(addon);
  // Before the environment frees its values, no stream may run any more.
  env.AddCleanupHook([](Addon* state) { state->shutdown(); }, addon);
  define<set_error_classes>(exports, "setErrorClasses");
  define<set_device_loader>(exports, "setDeviceLoader");
  for (auto* define_op : {define_tensor,
                          define_device,
                          define_device_info,
                          define_plugin,
                          define_recording,
                          define_add,
                          define_avg_pool2d,
                          define_batch_norm2d,
                          define_cast,
                          define_conv2d,
                          define_cross_entropy,
                          define_dropout,
                          define_global_avg_pool2d,
                          define_igc_block,
                          define_linear,
                          define_max_pool2d,
                          define_random,
                          define_relu,
                          define_relu6,
                          define_reorder,
                          define_sgd_step,
                          define_softmax}) {
    define_op(exports);
  }
  return exports;
}

}  // namespace

NODE_API_MODULE(igcnet, init)

}  // namespace igcnet::binding
