#include "core/host_memory.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "core/error.h"

#if defined(_WIN32)
#include <malloc.h>
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace igcnet {
namespace {

constexpr size_t kAlignment = 64;                // a cache line, and the widest vector
constexpr size_t kHugePage = size_t{2} << 20;    // x86-64 and arm64 Linux
constexpr size_t kReserveShare = 32;             // of the limit, for everybody else
constexpr size_t kUnchecked = size_t{16} << 20;  // below, looking costs more than it protects

// Of the whole process, as memory is: what allocate_host_memory gave out and was not released.
std::atomic<size_t> given_out{0};

size_t minus(size_t a, size_t b) { return a > b ? a - b : 0; }

#if defined(_WIN32)

void* aligned(size_t bytes) { return _aligned_malloc(bytes, kAlignment); }
void release_aligned(void* pointer) { _aligned_free(pointer); }

MEMORYSTATUSEX memory_status() {
  MEMORYSTATUSEX status;
  status.dwLength = sizeof(status);
  GlobalMemoryStatusEx(&status);
  return status;
}
size_t system_limit() { return static_cast<size_t>(memory_status().ullTotalPhys); }
size_t system_available() { return static_cast<size_t>(memory_status().ullAvailPhys); }

#else

void* aligned(size_t bytes) {
  void* pointer = nullptr;
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kAlignment;
  if (posix_memalign(&pointer, alignment, bytes) != 0) return nullptr;
#if defined(MADV_HUGEPAGE)
  if (alignment == kHugePage) madvise(pointer, bytes, MADV_HUGEPAGE);
#endif
  return pointer;
}
void release_aligned(void* pointer) { std::free(pointer); }

size_t physical_memory() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

#if defined(__linux__)

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The number behind the first line that begins with `key`, "" for the first line; none for "max" or no such line.
std::optional<size_t> number_after(const std::string& text, const std::string& key) {
  size_t start = 0;
  while (text.compare(start, key.size(), key) != 0) {
    start = text.find('\n', start);
    if (start == std::string::npos) return std::nullopt;
    ++start;
  }
  const char* digits = text.c_str() + start + key.size();
  char* end = nullptr;
  const size_t number = std::strtoull(digits, &end, 10);
  return end == digits ? std::nullopt : std::optional(number);
}

// The files of a memory control group, version 2 (one hierarchy) and version 1 (one for memory).
struct GroupFiles {
  const char *line, *mount, *limit, *usage, *cached_active, *cached_inactive;
};
constexpr GroupFiles kGroupFiles[] = {
    {"0::", "/sys/fs/cgroup", "memory.max", "memory.current", "active_file ", "inactive_file "},
    {":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_active_file ",
     "total_inactive_file "}};

// Calls visit(folder, files) for the control group of this process and every group around it. Inside of a container
// the path may name folders that only the host sees: they have no files, and the mount itself is the group.
template <class Visit>
void for_each_group(const Visit& visit) {
  const std::string groups = text_of("/proc/self/cgroup");
  for (const GroupFiles& files : kGroupFiles) {
    const size_t found = groups.find(files.line);
    if (found == std::string::npos) continue;
    const size_t start = found + std::string(files.line).size();
    std::string path = groups.substr(start, groups.find('\n', start) - start);
    while (!path.empty() && path != "/") {
      visit(files.mount + path, files);
      path.erase(path.rfind('/'));
    }
    visit(files.mount, files);
  }
}

size_t system_limit() {
  size_t limit = physical_memory();
  for_each_group([&](const std::string& folder, const GroupFiles& files) {
    limit = std::min(limit, number_after(text_of(folder + "/" + files.limit), "").value_or(limit));
  });
  return limit;
}

// Free memory, and the file cache, which the system gives up first.
size_t system_available() {
  const size_t physical = physical_memory();
  size_t available = number_after(text_of("/proc/meminfo"), "MemAvailable:").value_or(physical >> 10) << 10;
  for_each_group([&](const std::string& folder, const GroupFiles& files) {
    const auto limit = number_after(text_of(folder + "/" + files.limit), "");
    const auto usage = number_after(text_of(folder + "/" + files.usage), "");
    if (!limit || !usage || *limit >= physical) return;
    const std::string stat = text_of(folder + "/memory.stat");
    const size_t cached =
        number_after(stat, files.cached_active).value_or(0) + number_after(stat, files.cached_inactive).value_or(0);
    available = std::min(available, minus(*limit, minus(*usage, cached)));
  });
  const size_t resident_pages = [] {
    std::ifstream statm("/proc/self/statm");
    size_t total = 0, resident = 0;
    statm >> total >> resident;
    return resident;
  }();
  return minus(available, minus(given_out, resident_pages * static_cast<size_t>(sysconf(_SC_PAGESIZE))));
}

#else

size_t system_limit() { return physical_memory(); }
size_t system_available() { return minus(physical_memory(), given_out); }

#endif
#endif

}  // namespace

void* allocate_host_memory(size_t bytes) {
  void* pointer = aligned(bytes);
  if (pointer != nullptr) given_out += bytes;
  return pointer;
}

void release_host_memory(void* pointer, size_t bytes) {
  given_out -= bytes;
  release_aligned(pointer);
}

size_t host_memory_limit() { return system_limit(); }

size_t available_host_memory() { return minus(system_available(), system_limit() / kReserveShare); }

void expect_host_memory(const char* op, size_t bytes) {
  if (bytes < kUnchecked) return;
  const size_t available = available_host_memory();
  if (bytes <= available) return;
  throw Error(ErrorCode::kOutOfMemory, std::string(op) + ": expected at most " + std::to_string(available) +
                                           " bytes, which are available, but " + std::to_string(bytes) + " are needed");
}

}  // namespace igcnet
