// The border between the addon and a device that is loaded at run time. A plug-in is a shared library with one C
// function, `igcnet_device_plugin`, which returns this table. All types behind it are those of native/core, so both
// sides must be built from the same headers: `sources` is compared before anything else is touched. Checked in
// test/cuda/plugin.test.ts.
#pragma once

#include <memory>
#include <string>

#include "core/device.h"

namespace igcnet {

// What a plug-in finds on this machine.
struct ProbeResult {
  bool works = false;
  std::string text;  // works: what the device is; otherwise the reason why it cannot be had, without a full stop
};

struct DevicePlugin {
  const char* sources;  // plugin_sources() of the plug-in's build
  // Never throws. May crash or hang in a broken driver, so it is called in a child process first.
  ProbeResult (*probe)(int ordinal);
  // Throws DeviceError with the probe's reason.
  std::shared_ptr<Device> (*make_device)(int ordinal, const std::string& name);
};

// A hash of the headers of native/core, made by CMake.
const char* plugin_sources();

using DevicePluginFunction = const DevicePlugin*();
inline constexpr const char* kDevicePluginSymbol = "igcnet_device_plugin";

// Loads the plug-in at `path`, for the rest of the process. Throws DeviceError.
const DevicePlugin& load_device_plugin(const std::string& path);

}  // namespace igcnet
