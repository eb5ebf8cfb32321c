#include "binding/process_exit.h"

#include <cstdlib>
#include <mutex>
#include <set>
#include <utility>

namespace igcnet::binding {
namespace {

// The process has one end, so this is static; never destroyed, because it is used while static objects are.
struct Registry {
  std::mutex mutex;
  std::set<const std::function<void()>*> stops;
};

Registry& registry() {
  static auto* const kept = new Registry;
  return *kept;
}

void stop_all() {
  const std::lock_guard lock(registry().mutex);
  for (const auto* stop : registry().stops) (*stop)();
}

// exit() runs last what was registered first. Registered now, at the end, stop_all runs before the destructors of
// objects that libraries made at their first use.
void before_exit(const Napi::CallbackInfo&) { std::atexit(stop_all); }

}  // namespace

ProcessExit::ProcessExit(Napi::Env env, std::function<void()> stop) : stop_(std::move(stop)) {
  const auto process = env.Global().Get("process").As<Napi::Object>();
  // Before all other listeners: one of them may call process.exit(), which skips the rest.
  const auto once = process.Get("prependOnceListener").As<Napi::Function>();
  once.Call(process, {Napi::String::New(env, "exit"), Napi::Function::New<before_exit>(env, "igcnetBeforeExit")});
  const std::lock_guard lock(registry().mutex);
  registry().stops.insert(&stop_);
}

ProcessExit::~ProcessExit() {
  const std::lock_guard lock(registry().mutex);
  registry().stops.erase(&stop_);
}

}  // namespace igcnet::binding
