// What concerns a device as a whole. Checked in test/binding/device.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"
#include "binding/thread_limit.h"

namespace igcnet::binding {
namespace {

const std::shared_ptr<Device>& device_argument(const Arguments& args) {
  return Addon::of(args.env()).device(args.text(0, "device"));
}

// deviceSynchronize(device): blocks until everything enqueued has run.
Napi::Value device_synchronize(const Napi::CallbackInfo& info) {
  const Arguments args(info, "synchronize");
  device_argument(args)->synchronize();
  return info.Env().Undefined();
}

// deviceTrim(device): gives cached memory back to the system.
Napi::Value device_trim(const Napi::CallbackInfo& info) {
  const Arguments args(info, "trim");
  device_argument(args)->allocator().trim();
  Addon::of(info.Env()).announce_memory(info.Env());
  return info.Env().Undefined();
}

// deviceMemory(device): { bytesInUse, bytesReserved, peakInUse, allocations, brokenFences }.
Napi::Value device_memory(const Napi::CallbackInfo& info) {
  const Arguments args(info, "memory");
  const MemoryStats& stats = device_argument(args)->allocator().stats();
  auto result = Napi::Object::New(info.Env());
  result.Set("bytesInUse", static_cast<double>(stats.bytes_in_use));
  result.Set("bytesReserved", static_cast<double>(stats.bytes_reserved));
  result.Set("peakInUse", static_cast<double>(stats.peak_in_use));
  result.Set("allocations", static_cast<double>(stats.allocations));
  result.Set("brokenFences", static_cast<double>(stats.broken_fences));
  return result;
}

// deviceSetThreads(device, { threads }): for the ops enqueued from now on.
Napi::Value device_set_threads(const Napi::CallbackInfo& info) {
  const Arguments args(info, "setThreads");
  const auto& device = device_argument(args);
  const int64_t threads = args.params(1).integer("threads");
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(ErrorCode::kRange, "setThreads: expected 1 to " + std::to_string(kMaxThreads) +
                                       " threads but received " + std::to_string(threads));
  }
  device->refuse_recording("the number of threads was set (set it before)");
  expect_threads(args.op(), threads);
  device->submit([threads](Backend& backend) { backend.set_threads(static_cast<int>(threads)); });
  return info.Env().Undefined();
}

}  // namespace

void define_device(Napi::Object& exports) {
  define<device_synchronize>(exports, "deviceSynchronize");
  define<device_trim>(exports, "deviceTrim");
  define<device_memory>(exports, "deviceMemory");
  define<device_set_threads>(exports, "deviceSetThreads");
}

}  // namespace igcnet::binding
