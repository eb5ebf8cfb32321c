// pluginProbe: what a plug-in finds on this machine (core/plugin.h). Called in a child process first, by src/plugin.ts,
// since a broken driver may end the process that asks. Checked in test/cuda/plugin.test.ts.
#include "core/plugin.h"

#include <algorithm>

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

// pluginProbe({ plugin, ordinal }) -> { works, text }
Napi::Value plugin_probe(const Napi::CallbackInfo& info) {
  const Arguments args(info, "pluginProbe");
  const Params params = args.params(0);
  const std::string path = params.text("plugin");
  constexpr int64_t kMaxOrdinal = 999;
  const int64_t ordinal = std::clamp<int64_t>(params.integer("ordinal"), 0, kMaxOrdinal);
  ProbeResult found;
  try {
    found = load_device_plugin(path).probe(static_cast<int>(ordinal));
  } catch (const Error& error) {  // it could not be loaded: a reason like any other
    found = {false, error.what()};
  }
  auto result = Napi::Object::New(info.Env());
  result.Set("works", found.works);
  result.Set("text", found.text);
  return result;
}

}  // namespace

void define_plugin(Napi::Object& exports) { define<plugin_probe>(exports, "pluginProbe"); }

}  // namespace igcnet::binding
