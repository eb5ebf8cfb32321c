// Stops the streams when the process ends. A worker, and a main thread that runs out of work, end with the clean-up
// hooks of their environment; process.exit() on the main thread does not: it calls exit(), which destroys the static
// objects of all libraries (oneDNN's cache of primitives, for one) while ops still use them.
// Checked in test/binding/exit.test.ts.
#pragma once

#include <napi.h>

#include <functional>

namespace igcnet::binding {

// Runs a function when exit() begins, after every 'exit' listener of JavaScript. It is forgotten when this ends, which
// must be on the JavaScript thread of `env`.
class ProcessExit {
 public:
  ProcessExit(Napi::Env env, std::function<void()> stop);
  ~ProcessExit();
  ProcessExit(const ProcessExit&) = delete;
  ProcessExit& operator=(const ProcessExit&) = delete;

 private:
  const std::function<void()> stop_;
};

}  // namespace igcnet::binding
