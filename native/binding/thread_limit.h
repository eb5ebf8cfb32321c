// How many threads the system gives. libgomp ends the process when it is refused one. Checked in
// test/binding/device.test.ts under a limit.
#pragma once

#include <cstdint>

namespace igcnet::binding {

// Of `count` threads as many as can run at a time; they are made and ended again.
int64_t threads_given(int64_t count);
// Throws RangeError unless that is all of them; `who` asked for them.
void expect_threads(const char* who, int64_t count);

}  // namespace igcnet::binding
