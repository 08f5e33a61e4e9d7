#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <sys/uio.h>

#include <troupe/runtime/bytes.hpp>

namespace troupe::detail {

/// A piece of output: bytes of its own, or a reference to shared ones.
struct output_chunk {
  output_chunk* next = nullptr;
  std::size_t begin = 0; // first byte that is not sent
  std::size_t end = 0;   // behind the last byte
  std::size_t capacity = 0;
  shared_bytes shared; // if not empty, the bytes are there

  std::byte* own() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* data() noexcept { return shared.empty() ? own() : shared.data(); }
};

/// Gives chunks, and keeps some of those that come back: one for each loop.
///
/// They come in two sizes: most connections have a few lines to send, and a thousand of these at
/// once should fit the cache; what is more goes to pages. Those that refer to shared bytes are heads alone.
class chunk_pool {
public:
  static constexpr std::size_t small_bytes = 512; // with the head
  static constexpr std::size_t large_bytes = 4096;

  chunk_pool() = default;
  ~chunk_pool();
  chunk_pool(const chunk_pool&) = delete;
  chunk_pool& operator=(const chunk_pool&) = delete;

  /// Returns an empty chunk with room for `room` bytes or more; a large one unless `first`.
  output_chunk* take(std::size_t room, bool first);

  /// Returns a chunk without room, for shared bytes.
  output_chunk* take_head();
  void give_back(output_chunk* chunk) noexcept;

private:
  struct shelf {
    std::size_t room;         // of a chunk
    std::size_t kept_at_most; // 256 KiB of each of those with room
    std::size_t kept = 0;
    output_chunk* free = nullptr;
  };

  static output_chunk* from(shelf& shelf, std::size_t room);

  shelf heads_{0, 1024};
  shelf small_{small_bytes - sizeof(output_chunk), 512};
  shelf large_{large_bytes - sizeof(output_chunk), 64};
};

/// What a transport has to send. Empty it owns nothing, so an idle connection stays small.
///
/// Thread: one.
class output_queue {
public:
  explicit output_queue(chunk_pool& pool) noexcept : pool_(pool) {}
  ~output_queue() { clear(); }
  output_queue(const output_queue&) = delete;
  output_queue& operator=(const output_queue&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  // Mostly some bytes go behind others that wait: broadcasts do little else, so that is here, to be inlined.
  void append(bytes_view data) {
    if (last_ == nullptr || last_->end + data.size() > last_->capacity) [[unlikely]]
      return append_apart(data); // also behind shared bytes: such a chunk has no room of its own
    // Not memcpy: where GCC knows the bytes to be few, it copies them one word after the other.
    std::memmove(last_->own() + last_->end, data.data(), data.size());
    last_->end += data.size();
    size_ += data.size();
  }

  /// References the bytes instead of copying them, unless they are few.
  void append(const shared_bytes& data) {
    if (data.size() < worth_sharing) [[likely]]
      append(data.view());
    else
      append_shared(data);
  }

  void clear() noexcept;

  /// Tells whether all unsent bytes lie side by side, as they mostly do, and there are some.
  [[nodiscard]] bool is_one_piece() const noexcept { return first_ != nullptr && first_ == last_; }

  /// Returns the unsent bytes that are first. Precondition: not empty.
  [[nodiscard]] iovec front() const noexcept {
    return {const_cast<std::byte*>(first_->data()) + first_->begin, first_->end - first_->begin};
  }

  /// Fills `out` with the unsent bytes, first ones first; returns how many entries it used.
  std::size_t gather(std::span<iovec> out) const noexcept;

  /// Forgets the first `count` bytes, which were sent.
  void consume(std::size_t count) noexcept;

private:
  // Below it, copying costs less than one more entry in the system call and an atomic count.
  static constexpr std::size_t worth_sharing = 1024;

  void append_apart(bytes_view data);
  void append_shared(const shared_bytes& data);
  void push(output_chunk* chunk) noexcept;

  chunk_pool& pool_;
  output_chunk* first_ = nullptr;
  output_chunk* last_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace troupe::detail
