#include "binding/completions.h"

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "binding/addon.h"

namespace igcnet::binding {
namespace {

struct Message {
  uint64_t promise;
  std::exception_ptr error;
};

struct Pending {
  Napi::Promise::Deferred deferred;
  Napi::ObjectReference result;
};

// What the promise is rejected with: the error, or what making it threw.
Napi::Value reason(Napi::Env env, const std::exception_ptr& error) {
  try {
    return Addon::of(env).to_js(env, error).Value();
  } catch (const Napi::Error& thrown) {
    return thrown.Value();
  }
}

}  // namespace

struct Completions::Shared {
  std::mutex mutex;                             // of `function`, against calls from stream threads while it is closed
  napi_threadsafe_function function = nullptr;  // null once closed
  napi_env env = nullptr;
  std::unordered_map<uint64_t, Pending> pending;  // JavaScript thread only
  uint64_t next = 0;

  Pending take(uint64_t promise) {
    auto node = pending.extract(promise);
    if (pending.empty()) napi_unref_threadsafe_function(env, function);
    return std::move(node.mapped());
  }

  // On the JavaScript thread. Without an environment the process is ending, and *context may be gone.
  static void call_js(napi_env env, napi_value, void* context, void* data) {
    const std::unique_ptr<Message> message(static_cast<Message*>(data));
    auto* shared = static_cast<Shared*>(context);
    if (env == nullptr || shared->function == nullptr) return;
    const Napi::HandleScope scope(env);
    const Pending settled = shared->take(message->promise);
    try {
      if (message->error != nullptr) {
        settled.deferred.Reject(reason(env, message->error));
      } else {
        settled.deferred.Resolve(settled.result.Value());
      }
    } catch (const Napi::Error&) {
      // Only while a worker is terminated: then nobody waits for the promise.
    }
  }
};

Completions::Completions(Napi::Env env) : shared_(std::make_shared<Shared>()) {
  shared_->env = env;
  const napi_value name = Napi::String::New(env, "igcnet");
  // The finalizer keeps Shared alive until the last call_js with an environment ran.
  auto keep = std::make_unique<std::shared_ptr<Shared>>(shared_);
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Shared>*>(data); };
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, keep.get(), finalize,
                                                             shared_.get(), Shared::call_js, &shared_->function);
  if (status != napi_ok) throw Napi::Error::New(env, "igcnet: the environment refused a thread-safe function");
  keep.release();
  napi_unref_threadsafe_function(env, shared_->function);
}

Completions::~Completions() { close(); }

Napi::Value Completions::promise(const Napi::Object& result, const std::function<void(Done)>& start) {
  const auto deferred = Napi::Promise::Deferred::New(shared_->env);
  const uint64_t number = shared_->next++;
  if (shared_->pending.empty()) napi_ref_threadsafe_function(shared_->env, shared_->function);
  shared_->pending.emplace(number, Pending{deferred, Napi::Persistent(result)});
  try {
    start([shared = shared_, number](std::exception_ptr error) {
      auto message = std::make_unique<Message>(Message{number, std::move(error)});
      const std::lock_guard lock(shared->mutex);
      if (shared->function == nullptr) return;
      // Refused (the environment is closing), it stays ours.
      if (napi_call_threadsafe_function(shared->function, message.get(), napi_tsfn_nonblocking) == napi_ok) {
        message.release();
      }
    });
  } catch (...) {
    shared_->take(number).deferred.Resolve(result);  // a promise that nobody has; settling it frees it
    throw;
  }
  return deferred.Promise();
}

void Completions::close() noexcept {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->function == nullptr) return;
  napi_release_threadsafe_function(shared_->function, napi_tsfn_abort);
  shared_->function = nullptr;
  shared_->pending.clear();
}

}  // namespace igcnet::binding
