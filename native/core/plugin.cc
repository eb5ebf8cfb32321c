#include "core/plugin.h"

#include <cstring>

#include "core/error.h"
#include "core/shared_library.h"

namespace igcnet {

const char* plugin_sources() { return IGCNET_CORE_HASH; }

const DevicePlugin& load_device_plugin(const std::string& path) {
  const SharedLibrary library({path});
  const auto fail = [&](const std::string& text) {
    throw Error(ErrorCode::kDevice, "the plug-in " + path + " " + text);
  };
  if (!library.loaded()) fail("could not be loaded: " + library.failures());
  auto* const entry = library.function<DevicePluginFunction>(kDevicePluginSymbol);
  if (entry == nullptr) fail(std::string("is no plug-in of igcnet: it has no function ") + kDevicePluginSymbol);
  const DevicePlugin* plugin = entry();
  if (std::strcmp(plugin->sources, plugin_sources()) != 0) {
    fail("was built from other sources than the addon: build both again");
  }
  return *plugin;
}

}  // namespace igcnet
