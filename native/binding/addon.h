// The state of the addon in one JavaScript environment (the main thread or a worker): nothing is static.
#pragma once

#include <napi.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "binding/completions.h"
#include "binding/process_exit.h"
#include "core/device.h"
#include "core/error.h"

namespace igcnet::binding {

class Addon {
 public:
  explicit Addon(Napi::Env env);
  ~Addon();

  static Addon& of(Napi::Env env) { return *env.GetInstanceData<Addon>(); }

  // Creates the device on first use. Throws DeviceError for a name that is not a device.
  const std::shared_ptr<Device>& device(const std::string& name);
  // What finds the devices that are plug-ins: src/plugin.ts.
  void set_device_loader(Napi::Function loader) { device_loader_ = Napi::Persistent(loader); }
  // The devices created so far.
  const std::map<std::string, std::shared_ptr<Device>>& devices() const { return devices_; }
  Completions& completions() { return completions_; }

  // The JavaScript classes of errors, handed over once by src/native.ts.
  void set_error_classes(const Napi::Object& classes);
  Napi::Error to_js(Napi::Env env, ErrorCode code, const std::string& message) const;
  Napi::Error to_js(Napi::Env env, std::exception_ptr error) const;

  // Tells V8 how much native memory the tensors of this environment hold, when that has changed enough to matter.
  void announce_memory(Napi::Env env);

  // A new typed array of zeros. Throws OutOfMemoryError, where Node-API would end the process.
  Napi::TypedArray new_array(DType dtype, int64_t length) const;

  // The environment is going away: ends all streams, lets pending promises go.
  void shutdown() noexcept;

 private:
  void stop_streams() noexcept;
  const std::shared_ptr<Device>& make_device(const std::string& name);
  const std::shared_ptr<Device>& load_device(const std::string& name);

  std::map<std::string, std::shared_ptr<Device>> devices_;
  std::map<std::string, std::string> resolved_;  // names such as auto, and the device that they turned out to be
  Napi::FunctionReference device_loader_;
  std::map<std::string, Napi::FunctionReference> error_classes_;
  std::map<DType, Napi::FunctionReference> array_classes_;
  Completions completions_;
  ProcessExit process_exit_;
  int64_t announced_bytes_ = 0;
  int64_t most_bytes_ = 0;  // in use since window_start_
  std::chrono::steady_clock::time_point window_start_{};
};

// Runs a native function and turns what it throws into the right JavaScript error: the only border.
template <Napi::Value (*kFunction)(const Napi::CallbackInfo&)>
Napi::Value guard(const Napi::CallbackInfo& info) {
  try {
    return kFunction(info);
  } catch (const Napi::Error&) {
    throw;  // JavaScript's own, from a getter for example
  } catch (...) {
    throw Addon::of(info.Env()).to_js(info.Env(), std::current_exception());
  }
}

template <Napi::Value (*kFunction)(const Napi::CallbackInfo&)>
void define(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<guard<kFunction>>(exports.Env(), name));
}

// One per op, in <op>.cc.
void define_tensor(Napi::Object& exports);
void define_device(Napi::Object& exports);
void define_device_info(Napi::Object& exports);
void define_plugin(Napi::Object& exports);
void define_add(Napi::Object& exports);
void define_avg_pool2d(Napi::Object& exports);
void define_batch_norm2d(Napi::Object& exports);
void define_cast(Napi::Object& exports);
void define_conv2d(Napi::Object& exports);
void define_cross_entropy(Napi::Object& exports);
void define_dropout(Napi::Object& exports);
void define_global_avg_pool2d(Napi::Object& exports);
void define_igc_block(Napi::Object& exports);
void define_linear(Napi::Object& exports);
void define_max_pool2d(Napi::Object& exports);
void define_random(Napi::Object& exports);
void define_recording(Napi::Object& exports);
void define_relu(Napi::Object& exports);
void define_relu6(Napi::Object& exports);
void define_reorder(Napi::Object& exports);
void define_sgd_step(Napi::Object& exports);
void define_softmax(Napi::Object& exports);

}  // namespace igcnet::binding
