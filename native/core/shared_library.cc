#include "core/shared_library.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace igcnet {
namespace {

#if defined(_WIN32)
void* open_library(const char* name) { return reinterpret_cast<void*>(LoadLibraryA(name)); }
std::string failure() { return "error " + std::to_string(GetLastError()); }
void* find_symbol(void* library, const char* symbol) {
  return reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(library), symbol));
}
#else
void* open_library(const char* name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
std::string failure() {
  const char* text = dlerror();
  return text == nullptr ? "unknown" : text;
}
void* find_symbol(void* library, const char* symbol) { return dlsym(library, symbol); }
#endif

}  // namespace

SharedLibrary::SharedLibrary(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    handle_ = open_library(name.c_str());
    if (handle_ != nullptr) {
      name_ = name;
      return;
    }
    failures_ += (failures_.empty() ? "" : "; ") + failure();
  }
}

void* SharedLibrary::find(const char* symbol) const {
  return handle_ == nullptr ? nullptr : find_symbol(handle_, symbol);
}

}  // namespace igcnet
