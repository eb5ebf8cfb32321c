#include "binding/thread_limit.h"

#include <future>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/error.h"

namespace igcnet::binding {

int64_t threads_given(int64_t count) {
  std::promise<void> gate;
  const std::shared_future<void> opened = gate.get_future().share();
  std::vector<std::thread> made;
  try {
    while (static_cast<int64_t>(made.size()) < count) made.emplace_back([opened] { opened.wait(); });
  } catch (const std::system_error&) {  // made.size() says how many there are
  }
  gate.set_value();
  for (std::thread& thread : made) thread.join();
  return static_cast<int64_t>(made.size());
}

void expect_threads(const char* who, int64_t count) {
  const int64_t given = threads_given(count);
  if (given == count) return;
  throw Error(ErrorCode::kRange, std::string(who) + ": expected at most " + std::to_string(given) +
                                     " threads, as many as the system gives, but received " + std::to_string(count));
}

}  // namespace igcnet::binding
