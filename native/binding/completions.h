// Brings results from the stream's thread back to JavaScript: one thread-safe function per environment, which keeps
// the process alive only while a promise is pending. Only the number of a promise and an error cross the threads: all
// that belongs to JavaScript stays on its thread. Checked in test/binding/stream.test.ts and worker.test.ts.
#pragma once

#include <napi.h>

#include <exception>
#include <functional>
#include <memory>

namespace igcnet::binding {

class Completions {
 public:
  // Says that a result is there (nullptr) or failed. May be called once, on any thread.
  using Done = std::function<void(std::exception_ptr)>;

  explicit Completions(Napi::Env env);
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  // A promise of `result`, an object that `start` begins to fill and that lives until Done was called. When `start`
  // throws there is no promise. On the JavaScript thread, as close().
  Napi::Value promise(const Napi::Object& result, const std::function<void(Done)>& start);
  // Lets pending promises go; the environment is going away. Idempotent.
  void close() noexcept;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace igcnet::binding
