#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace troupe::detail {

/// Memory for what is made and destroyed with each message or actor, from lists of free blocks that each thread
/// keeps, one for each size.
///
/// A block may be given back in any thread. What one thread gives back and another takes goes from the one to the
/// other in batches, through lists that all threads share, so that one which only sends and one which only
/// receives take a lock once for many messages. All lists are bounded, and what is beyond goes back to the
/// system. A thread's blocks are given back when it ends.
///
/// Under the address sanitizer each block comes from the system, so that a use after the end is seen.
///
/// \param size  in bytes; beyond `largest_cached_block`, it is the system's
/// \returns memory that is aligned as `operator new` aligns it
/// \throws std::bad_alloc
/// Thread: any.
[[nodiscard]] void* take_block(std::size_t size);

/// Gives back what `take_block(size)` returned. Thread: any.
void give_block(void* block, std::size_t size) noexcept;

/// Returns how many bytes of blocks the calling thread has taken, less what it has given back. Of interest is by how
/// much it has grown: what a turn has made that nobody has dealt with yet. Blocks that were the system's may be
/// left out.
[[nodiscard]] std::ptrdiff_t bytes_taken() noexcept;

/// Returns how many blocks the calling thread has taken since `mark`, less those that it has given back: half a million
/// at most either way. What `block_mark` returns means nothing else.
[[nodiscard]] std::ptrdiff_t blocks_taken_since(std::uint64_t mark) noexcept;
[[nodiscard]] std::uint64_t block_mark() noexcept;

inline constexpr std::size_t largest_cached_block = 2040;

/// An allocator of such blocks, for `std::allocate_shared` and the nodes of containers.
template <class T>
struct block_allocator {
  using value_type = T;
  using is_always_equal = std::true_type;

  block_allocator() = default;
  template <class U>
  block_allocator(const block_allocator<U>&) noexcept {} // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    return static_cast<T*>(take_block(count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) noexcept { give_block(block, count * sizeof(T)); }

  friend bool operator==(block_allocator, block_allocator) noexcept { return true; }
};

/// How many blocks of `size` a thread hands on at once; it keeps at most twice as many.
[[nodiscard]] std::size_t blocks_in_a_batch(std::size_t size) noexcept;

/// How many free blocks of `size` the calling thread has, and how many lie where all threads take from.
struct free_blocks {
  std::size_t here = 0;
  std::size_t shared = 0;
};
[[nodiscard]] free_blocks count_free_blocks(std::size_t size) noexcept;

} // namespace troupe::detail
