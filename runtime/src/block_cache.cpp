#include <troupe/runtime/detail/block_cache.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <thread>
#include <utility>

#include <troupe/runtime/detail/cpu.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define TROUPE_CACHES_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TROUPE_CACHES_BLOCKS 0
#endif
#endif
#ifndef TROUPE_CACHES_BLOCKS
#define TROUPE_CACHES_BLOCKS 1
#endif

namespace troupe::detail {

// Short names, for what lies in the lists.
namespace block_lists {
namespace {

// A free block. In the lists that are shared, the first of a batch is linked to the next batch.
struct free_block {
  free_block* next;
  free_block* next_batch;
};

// As malloc has it: blocks of 24 bytes, 40, 56, so that no byte is lost to rounding.
constexpr std::size_t size_classes = 128;
constexpr std::size_t class_of(std::size_t size) noexcept {
  return size <= 24 ? 1 : (size + 7) / 16;
}
constexpr std::size_t size_of(std::size_t size_class) noexcept {
  return size_class * 16 + 8;
}
// Two sums in one number: of blocks in its lower bits, of which differences are read, and of bytes above. A carry from
// the one to the other is a byte in a million blocks.
constexpr int bits_of_count = 20;
constexpr std::uint64_t weight_of(std::size_t size_class) noexcept {
  return (std::uint64_t{size_class} * 16 << bits_of_count) + 1;
}
static_assert(sizeof(free_block) <= size_of(1));
static_assert(size_of(size_classes - 1) == largest_cached_block);

constexpr std::size_t batch_of(std::size_t size_class) noexcept {
  return std::clamp<std::size_t>(32 * 1024 / size_of(size_class), 16, 256);
}
constexpr std::size_t shared_bytes = 1024 * 1024; // of each size

// A thread's blocks of one size: those that are taken from and given to, and one batch that is full.
struct bin {
  free_block* top;
  std::uint32_t count;
  std::uint32_t limit; // none in the cache of a thread that has none
  free_block* spare;
  std::uint64_t weight;
};

struct cache {
  std::uint64_t taken; // sum of the weights
  std::array<bin, size_classes> bins;
};

// What no thread writes to: nothing can be taken from it, and nothing given to it.
constinit cache no_cache{};

// A pointer that is found without a call, also in a shared library.
constinit thread_local cache* here __attribute__((tls_model("initial-exec"))) = &no_cache;
constinit thread_local bool is_over = false;

// Batches of one size that any thread may take.
class alignas(64) shared_batches {
public:
  bool give(free_block* batch, std::size_t size_class) noexcept {
    const hold guard{*this};
    if ((count_ + 1) * batch_of(size_class) * size_of(size_class) > shared_bytes)
      return false;
    batch->next_batch = first_.load(std::memory_order_relaxed);
    first_.store(batch, std::memory_order_relaxed);
    ++count_;
    return true;
  }

  free_block* take() noexcept {
    if (first_.load(std::memory_order_relaxed) == nullptr)
      return nullptr;
    const hold guard{*this};
    auto* const batch = first_.load(std::memory_order_relaxed);
    if (batch != nullptr) {
      first_.store(batch->next_batch, std::memory_order_relaxed);
      --count_;
    }
    return batch;
  }

  std::size_t count() noexcept {
    const hold guard{*this};
    return count_;
  }

private:
  struct hold {
    explicit hold(shared_batches& of) noexcept : batches(of) {
      while (batches.locked_.exchange(true, std::memory_order_acquire))
        for (int spins = 0; batches.locked_.load(std::memory_order_relaxed);)
          if (++spins < 64)
            cpu_relax();
          else
            std::this_thread::yield(); // who holds it may have lost its core
    }
    ~hold() { batches.locked_.store(false, std::memory_order_release); }
    shared_batches& batches;
  };

  std::atomic<free_block*> first_{nullptr};
  std::size_t count_ = 0;
  std::atomic<bool> locked_{false};
};

constinit std::array<shared_batches, size_classes> all_shared{};

void free_all(free_block* first) noexcept {
  while (first != nullptr)
    ::operator delete(std::exchange(first, first->next));
}

// Gives a thread's blocks back when it ends. What is given or taken later in that thread is the system's.
struct thread_end {
  ~thread_end() {
    is_over = true;
    auto* const mine = std::exchange(here, &no_cache);
    for (std::size_t i = 0; i < size_classes; ++i) {
      auto& bin = mine->bins[i];
      if (bin.spare != nullptr && !all_shared[i].give(bin.spare, i))
        free_all(bin.spare);
      free_all(bin.top);
    }
    delete mine;
  }
};

bool make_cache() noexcept {
  if (is_over || TROUPE_CACHES_BLOCKS == 0)
    return false;
  auto* const made = new (std::nothrow) cache{};
  if (made == nullptr)
    return false;
  for (std::size_t i = 1; i < size_classes; ++i)
    made->bins[i] = {nullptr, 0, static_cast<std::uint32_t>(batch_of(i)), nullptr, weight_of(i)};
  here = made;
  static thread_local thread_end ends; // it must be used to be made
  static_cast<void>(&ends);
  return true;
}

[[gnu::noinline]] void* take_more(std::size_t size) {
  const auto size_class = class_of(size);
  if (size_class >= size_classes || (here == &no_cache && !make_cache()))
    return ::operator new(size);
  auto& bin = here->bins[size_class];
  here->taken += bin.weight;
  auto* batch = std::exchange(bin.spare, nullptr);
  if (batch == nullptr)
    batch = all_shared[size_class].take();
  if (batch == nullptr)
    return ::operator new(size_of(size_class));
  bin.top = batch->next;
  bin.count = bin.limit - 1;
  return batch;
}

[[gnu::noinline]] void give_more(void* block, std::size_t size) noexcept {
  const auto size_class = class_of(size);
  if (size_class >= size_classes || (here == &no_cache && !make_cache()))
    return ::operator delete(block);
  auto& bin = here->bins[size_class];
  here->taken -= bin.weight;
  if (bin.count == bin.limit) {
    if (bin.spare != nullptr && !all_shared[size_class].give(bin.spare, size_class))
      free_all(bin.spare);
    bin.spare = std::exchange(bin.top, nullptr);
    bin.count = 0;
  }
  bin.top = new (block) free_block{bin.top, nullptr};
  ++bin.count;
}

} // namespace
} // namespace block_lists

void* take_block(std::size_t size) {
  const auto size_class = block_lists::class_of(size);
  if (size_class < block_lists::size_classes) [[likely]] {
    auto& mine = *block_lists::here;
    auto& bin = mine.bins[size_class];
    if (auto* const block = bin.top) [[likely]] {
      bin.top = block->next;
      --bin.count;
      mine.taken += bin.weight;
      return block;
    }
  }
  return block_lists::take_more(size);
}

void give_block(void* block, std::size_t size) noexcept {
  const auto size_class = block_lists::class_of(size);
  if (size_class < block_lists::size_classes) [[likely]] {
    auto& mine = *block_lists::here;
    auto& bin = mine.bins[size_class];
    if (bin.count != bin.limit) [[likely]] {
      bin.top = new (block) block_lists::free_block{bin.top, nullptr};
      ++bin.count;
      mine.taken -= bin.weight;
      return;
    }
  }
  block_lists::give_more(block, size);
}

std::ptrdiff_t bytes_taken() noexcept {
  return static_cast<std::int64_t>(block_lists::here->taken) >> block_lists::bits_of_count;
}

std::uint64_t block_mark() noexcept {
  return block_lists::here->taken;
}

std::ptrdiff_t blocks_taken_since(std::uint64_t mark) noexcept {
  constexpr int above = 64 - block_lists::bits_of_count;
  return static_cast<std::int64_t>((block_lists::here->taken - mark) << above) >> above;
}

std::size_t blocks_in_a_batch(std::size_t size) noexcept {
  const auto size_class = block_lists::class_of(size);
  return size_class < block_lists::size_classes ? block_lists::batch_of(size_class) : 0;
}

free_blocks count_free_blocks(std::size_t size) noexcept {
  const auto size_class = block_lists::class_of(size);
  if (size_class >= block_lists::size_classes)
    return {};
  const auto& bin = block_lists::here->bins[size_class];
  return {bin.count + (bin.spare != nullptr ? bin.limit : 0),
          block_lists::all_shared[size_class].count() * block_lists::batch_of(size_class)};
}

} // namespace troupe::detail
