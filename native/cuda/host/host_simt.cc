#include "cuda/host/host_simt.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/simt.h"

namespace igcnet::simt {
namespace {

constexpr int kWarp = 32;
constexpr int kMaxThreads = 1024;
// Not a power of two: stacks at equal places of a cache's sets would push each other out at every switch.
constexpr size_t kStack = (size_t{64} << 10) + 4096 + 64;
constexpr size_t kMaxShared = size_t{227} << 10;  // of a block on sm_90
constexpr size_t kFence = 256;
constexpr unsigned char kFenceByte = 0xA5;

enum class State { kReady, kAtBarrier, kAtExchange, kDone };

// A thread of a block. Its stack begins with a context of the system; from then on it is left and entered by _setjmp
// and _longjmp, which, unlike swapcontext, do not call the system.
struct Fiber {
  ucontext_t context{};
  jmp_buf at{};
  bool started = false;  // it has a stack with enter() at its bottom
  State state = State::kDone;
  unsigned mask = 0;    // of the exchange that it waits for
  unsigned parity = 0;  // which of the two boards its next exchange writes to
};

// The fibers of this thread of the process, made once.
class BlockRunner {
 public:
  BlockRunner() : fibers_(kMaxThreads), boards_(kMaxThreads / kWarp), shared_(kMaxShared + kFence) {
    stacks_ = static_cast<char*>(mmap(nullptr, kMaxThreads * kStack, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (stacks_ == MAP_FAILED) throw Error(ErrorCode::kInternal, "simt: no memory for the stacks of the threads");
  }
  ~BlockRunner() { munmap(stacks_, kMaxThreads * kStack); }
  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;

  void run(const Launch& size, const std::function<void()>& body) {
    if (size.threads > kMaxThreads || size.shared_bytes > kMaxShared) {
      throw Error(ErrorCode::kInternal, "simt: a block of " + std::to_string(size.threads) + " threads and " +
                                            std::to_string(size.shared_bytes) + " bytes of shared memory");
    }
    body_ = &body;
    descending_ = !descending_;
    blockDim = {static_cast<unsigned>(size.threads), 1, 1};
    gridDim = {static_cast<unsigned>(size.blocks), 1, 1};
    for (int64_t block = 0; block < size.blocks; ++block) {
      blockIdx = {static_cast<unsigned>(block), 0, 0};
      if (size.cooperative) {
        run_cooperative(size);
      } else {
        run_independent(size.threads);
      }
    }
  }

  void* shared() { return shared_.data(); }

  void wait(State state) {
    if (current_ == nullptr) throw Error(ErrorCode::kInternal, "simt: a wait in a launch that is not cooperative");
    current_->state = state;
    leave(*current_);
  }

  uint64_t exchange(unsigned mask, uint64_t value, unsigned source) {
    if (current_ == nullptr) throw Error(ErrorCode::kInternal, "simt: a shuffle in a launch that is not cooperative");
    Fiber& self = *current_;
    auto& board = boards_[threadIdx.x / kWarp][self.parity];
    self.parity ^= 1;
    self.mask = mask;
    board[threadIdx.x % kWarp] = value;
    wait(State::kAtExchange);
    return board[source];
  }

 private:
  using Board = std::array<uint64_t, kWarp>;

  void run_independent(int threads) {
    for (int i = 0; i < threads; ++i) {
      threadIdx = {static_cast<unsigned>(descending_ ? threads - 1 - i : i), 0, 0};
      (*body_)();
    }
  }

  void run_cooperative(const Launch& size) {
    std::memset(shared_.data(), 0xFF, size.shared_bytes);
    std::memset(shared_.data() + size.shared_bytes, kFenceByte, kFence);
    for (int i = 0; i < size.threads; ++i) start(i);
    while (step(size.threads)) continue;
    for (size_t i = 0; i < kFence; ++i) {
      if (shared_[size.shared_bytes + i] != kFenceByte) {
        fail("simt: a write behind the shared memory of a block");
      }
    }
  }

  void start(int i) {
    Fiber& fiber = fibers_[static_cast<size_t>(i)];
    fiber.state = State::kReady;
    fiber.parity = 0;
    if (fiber.started) return;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks_ + static_cast<size_t>(i) * kStack;
    fiber.context.uc_stack.ss_size = kStack;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, &BlockRunner::enter, 0);
  }

  // From the scheduler into a fiber, until it leaves.
  [[gnu::noinline]] void resume(Fiber& fiber) {
    if (_setjmp(scheduler_) != 0) return;
    if (fiber.started) _longjmp(fiber.at, 1);
    fiber.started = true;
    setcontext(&fiber.context);
  }
  [[gnu::noinline]] void leave(Fiber& fiber) {
    if (_setjmp(fiber.at) == 0) _longjmp(scheduler_, 1);
  }

  // After an error fibers are left in the middle of a kernel: they begin anew.
  [[noreturn]] void fail(const std::string& text) {
    for (Fiber& fiber : fibers_) fiber.started = false;
    throw Error(ErrorCode::kInternal, text);
  }

  static void enter();

  // Runs every thread to where it waits, and lets go those that wait for nobody any more; false when all are done.
  bool step(int threads) {
    int barrier = 0, done = 0;
    for (int i = 0; i < threads; ++i) {
      const int thread = descending_ ? threads - 1 - i : i;
      Fiber& fiber = fibers_[static_cast<size_t>(thread)];
      if (fiber.state == State::kReady) {
        threadIdx = {static_cast<unsigned>(thread), 0, 0};
        current_ = &fiber;
        resume(fiber);
        current_ = nullptr;
      }
      barrier += fiber.state == State::kAtBarrier;
      done += fiber.state == State::kDone;
    }
    if (done == threads) return false;
    if (barrier == threads) {
      for (int i = 0; i < threads; ++i) fibers_[static_cast<size_t>(i)].state = State::kReady;
      return true;
    }
    bool released = false;
    for (int first = 0; first < threads; first += kWarp) released = release_exchange(first, threads) || released;
    if (!released) fail("simt: threads wait for others that do not come");
    return true;
  }

  // Lets a warp go when all lanes of the mask are there with the same mask.
  bool release_exchange(int first, int threads) {
    unsigned there = 0, mask = 0;
    for (int lane = 0; lane < kWarp && first + lane < threads; ++lane) {
      const Fiber& fiber = fibers_[static_cast<size_t>(first + lane)];
      if (fiber.state != State::kAtExchange) continue;
      there |= 1U << lane;
      mask = fiber.mask;
    }
    if (there == 0 || there != mask) return false;
    for (int lane = 0; lane < kWarp && first + lane < threads; ++lane) {
      Fiber& fiber = fibers_[static_cast<size_t>(first + lane)];
      if (fiber.state == State::kAtExchange) fiber.state = State::kReady;
    }
    return true;
  }

  std::vector<Fiber> fibers_;
  std::vector<std::array<Board, 2>> boards_;  // of each warp
  std::vector<unsigned char> shared_;         // 16-byte aligned, as every large block from the heap
  char* stacks_ = nullptr;
  jmp_buf scheduler_{};
  Fiber* current_ = nullptr;
  const std::function<void()>* body_ = nullptr;
  bool descending_ = true;
};

BlockRunner& runner() {
  static thread_local const std::unique_ptr<BlockRunner> made = std::make_unique<BlockRunner>();
  return *made;
}

void BlockRunner::enter() {
  BlockRunner& self = runner();
  for (;;) {  // block after block
    (*self.body_)();
    self.current_->state = State::kDone;
    self.leave(*self.current_);
  }
}

}  // namespace

void* shared_bytes() { return runner().shared(); }
void wait_for_block() { runner().wait(State::kAtBarrier); }
uint64_t exchange(unsigned mask, uint64_t value, unsigned source) { return runner().exchange(mask, value, source); }
void run_blocks(const Launch& size, const std::function<void()>& body) {
  if (size.blocks > 0) runner().run(size, body);
}

}  // namespace igcnet::simt
