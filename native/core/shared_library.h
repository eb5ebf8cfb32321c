// A shared library that is looked for at run time: the one place that knows how (shared_library.cc). A missing library
// is no error here, since the caller knows what it means. Checked in test/cuda/plugin.test.ts.
#pragma once

#include <string>
#include <vector>

namespace igcnet {

class SharedLibrary {
 public:
  SharedLibrary() = default;
  // Loads the first of these file names (with or without a folder) that can be loaded.
  explicit SharedLibrary(const std::vector<std::string>& names);
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;
  // Never unloaded: threads and exit handlers of a driver may still run its code.
  ~SharedLibrary() = default;

  bool loaded() const { return handle_ != nullptr; }
  const std::string& name() const { return name_; }          // that was loaded
  const std::string& failures() const { return failures_; }  // of the names that could not be loaded, with the reasons
  // The address of a function; nullptr when there is none.
  void* find(const char* symbol) const;
  template <class Function>
  Function* function(const char* symbol) const {
    return reinterpret_cast<Function*>(find(symbol));
  }

 private:
  void* handle_ = nullptr;
  std::string name_, failures_;
};

}  // namespace igcnet
