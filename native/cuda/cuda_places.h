// Where NVIDIA's libraries may be when the system's own search does not find them: the toolkit, and the wheels that pip
// puts into a Python. Checked in test/cuda/plugin.test.ts with folders that are made for it.
#pragma once

#include <string>
#include <vector>

namespace igcnet {

// The folders that exist of those that may hold a library, in the order in which they are tried: beside a local build
// of the plug-in (scripts/build-cuda.mjs), lib64 of CUDA_HOME, CUDA_PATH and /usr/local/cuda, and nvidia/<wheel>/lib in
// the packages of VIRTUAL_ENV, CONDA_PREFIX, each python3 of the path, the user and the system.
std::vector<std::string> cuda_library_folders(const std::string& wheel);

}  // namespace igcnet
