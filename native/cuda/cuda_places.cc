#include "cuda/cuda_places.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace igcnet {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The folder of this plug-in.
fs::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return ".";
  return fs::path(info.dli_fname).parent_path();
}

// The prefixes of Pythons: PREFIX/lib/python3.x has their packages.
std::vector<fs::path> python_prefixes() {
  std::vector<fs::path> prefixes{variable("VIRTUAL_ENV"), variable("CONDA_PREFIX")};
  const std::string path = variable("PATH");
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find(':', start), path.size());
    const fs::path folder = path.substr(start, end - start);
    std::error_code ignored;
    if (!folder.empty() && fs::exists(folder / "python3", ignored)) prefixes.push_back(folder.parent_path());
    start = end + 1;
  }
  const std::string home = variable("HOME");
  if (!home.empty()) prefixes.push_back(fs::path(home) / ".local");
  prefixes.insert(prefixes.end(), {"/usr/local", "/usr"});
  return prefixes;
}

// The folders of packages of all Pythons 3 below a prefix, in the order of their names.
std::vector<fs::path> package_folders(const fs::path& prefix) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator entry(prefix / "lib", error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().rfind("python3", 0) != 0) continue;
    folders.push_back(entry->path() / "site-packages");
    folders.push_back(entry->path() / "dist-packages");
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace

std::vector<std::string> cuda_library_folders(const std::string& wheel) {
  const fs::path in_packages = fs::path("nvidia") / wheel / "lib";
  std::vector<fs::path> places{own_folder() / ".." / "cuda-packages" / in_packages};
  for (const std::string& toolkit : {variable("CUDA_HOME"), variable("CUDA_PATH"), std::string("/usr/local/cuda")}) {
    if (!toolkit.empty()) places.push_back(fs::path(toolkit) / "lib64");
  }
  for (const fs::path& prefix : python_prefixes()) {
    if (prefix.empty()) continue;
    for (const fs::path& packages : package_folders(prefix)) places.push_back(packages / in_packages);
  }
  std::vector<std::string> found;
  for (const fs::path& place : places) {
    std::error_code ignored;
    const std::string name = place.string();
    const bool known = std::find(found.begin(), found.end(), name) != found.end();
    if (!known && fs::is_directory(place, ignored)) found.push_back(name);
  }
  return found;
}

}  // namespace igcnet
