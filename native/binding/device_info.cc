// What a device computes with. Checked in test/binding/device.test.ts.
#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

// deviceInfo(device): { simd, f32Lanes, threads, onednn, hardware }; null for the last two: not used. Waits for the ops
// before it, since the stream's thread knows.
Napi::Value device_info(const Napi::CallbackInfo& info) {
  const Arguments args(info, "info");
  const std::shared_ptr<Device>& device = Addon::of(args.env()).device(args.text(0, "device"));
  const auto found = std::make_shared<BackendInfo>();
  device->submit([found](Backend& backend) { *found = backend.info(); });
  device->synchronize();
  auto result = Napi::Object::New(info.Env());
  result.Set("simd", found->simd);
  result.Set("f32Lanes", found->f32_lanes);
  result.Set("threads", found->threads);
  const auto text_or_null = [&](const char* name, const std::string& text) {
    if (text.empty()) {
      result.Set(name, info.Env().Null());
    } else {
      result.Set(name, text);
    }
  };
  text_or_null("onednn", found->onednn);
  text_or_null("hardware", found->hardware);
  return result;
}

}  // namespace

void define_device_info(Napi::Object& exports) { define<device_info>(exports, "deviceInfo"); }

}  // namespace igcnet::binding
