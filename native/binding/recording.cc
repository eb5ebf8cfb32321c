// Work that is recorded once and repeated as one piece (core/device.h). Checked in test/binding/recording.test.ts.
#include <memory>
#include <utility>

#include "binding/addon.h"
#include "binding/arguments.h"
#include "core/storage.h"

namespace igcnet::binding {
namespace {

// A random 128-bit number, made once for this type.
constexpr napi_type_tag kRecordingTag = {0x2c84e19d70b5f36a, 0xd13f5a0867c2e94b};

// What a handle owns. Its memory is given back on JavaScript's thread.
struct Repeated {
  std::shared_ptr<Device> device;
  Device::Recorded recorded;

  Repeated(std::shared_ptr<Device> on, Device::Recorded made) : device(std::move(on)), recorded(std::move(made)) {}
  ~Repeated() {
    // What the device made of the ops ends behind the replays that are still enqueued.
    try {
      device->submit([recording = std::move(recorded.recording)](Backend&) {});
    } catch (...) {  // it was shut down
    }
    device->forget_recording(recorded.number);
  }
  Repeated(const Repeated&) = delete;
  Repeated& operator=(const Repeated&) = delete;
};

bool is_recording(const Napi::Value& value) {
  bool ours = false;
  return value.IsExternal() && napi_check_object_type_tag(value.Env(), value, &kRecordingTag, &ours) == napi_ok && ours;
}

// The pointer in the handle; null once it was disposed of.
std::unique_ptr<Repeated>& repeated_of(const Napi::CallbackInfo& info, const char* op) {
  if (!is_recording(info[0])) {
    throw Error(ErrorCode::kArgument, std::string(op) + ": expected a recording but received " + describe(info[0]));
  }
  return *info[0].As<Napi::External<std::unique_ptr<Repeated>>>().Data();
}

// recordBegin(device): what is enqueued from here on is recorded.
Napi::Value record_begin(const Napi::CallbackInfo& info) {
  const Arguments args(info, "record");
  Addon::of(info.Env()).device(args.text(0, "device"))->begin_recording();
  return info.Env().Undefined();
}

// recordEnd(device): runs what was recorded. { recording }, or { refused: why } when it cannot be repeated.
Napi::Value record_end(const Napi::CallbackInfo& info) {
  const Arguments args(info, "record");
  const Napi::Env env = info.Env();
  const std::shared_ptr<Device>& device = Addon::of(env).device(args.text(0, "device"));
  Device::Recorded recorded = device->end_recording();
  auto result = Napi::Object::New(env);
  if (recorded.recording == nullptr) {
    result.Set("refused", recorded.refused);
    return result;
  }
  using Owner = std::unique_ptr<Repeated>;
  auto owner = std::make_unique<Owner>(std::make_unique<Repeated>(device, std::move(recorded)));
  const auto handle = Napi::External<Owner>::New(env, owner.get(), [](Napi::Env, Owner* ended) { delete ended; });
  owner.release();  // the finalizer's from now on
  if (napi_type_tag_object(env, handle, &kRecordingTag) != napi_ok) {
    throw Error(ErrorCode::kInternal, "record: the environment refused a handle");
  }
  result.Set("recording", handle);
  return result;
}

// recordReplay(recording): runs it again, behind everything enqueued before.
Napi::Value record_replay(const Napi::CallbackInfo& info) {
  const std::unique_ptr<Repeated>& repeated = repeated_of(info, "replay");
  if (repeated == nullptr) {
    throw Error(ErrorCode::kDisposed, "replay: expected a live recording but received a disposed one");
  }
  if (repeated->device->recording_number() != 0) {
    throw Error(ErrorCode::kUnsupported,
                "replay: device " + repeated->device->name() + " is recording: a recording has no other in it");
  }
  repeated->device->replay(repeated->recorded.recording);
  return info.Env().Undefined();
}

// recordDispose(recording): frees its memory. Twice is allowed.
Napi::Value record_dispose(const Napi::CallbackInfo& info) {
  repeated_of(info, "dispose").reset();
  Addon::of(info.Env()).announce_memory(info.Env());
  return info.Env().Undefined();
}

}  // namespace

void define_recording(Napi::Object& exports) {
  define<record_begin>(exports, "recordBegin");
  define<record_end>(exports, "recordEnd");
  define<record_replay>(exports, "recordReplay");
  define<record_dispose>(exports, "recordDispose");
}

}  // namespace igcnet::binding
