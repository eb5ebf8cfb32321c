// Host memory from the operating system: the one file that knows how (host_memory.cc). Checked in
// test/binding/memory.test.ts.
#pragma once

#include <cstddef>

namespace igcnet {

// 64-byte aligned; large blocks ask for huge pages. nullptr when there is none. The system hands the memory out page
// by page when it is first written.
void* allocate_host_memory(size_t bytes);
void release_host_memory(void* pointer, size_t bytes);

// The most that this process can hold: the machine's physical memory, or the limit of its control group.
size_t host_memory_limit();
// What can still be written before the system runs out and kills a process: without what allocate_host_memory gave
// out and nobody wrote yet, and without a reserve of a 32nd of the limit for everybody else.
size_t available_host_memory();
// Throws OutOfMemoryError, beginning with `op`, when `bytes` more are not available. Under 16 MiB nothing is checked.
void expect_host_memory(const char* op, size_t bytes);

}  // namespace igcnet
