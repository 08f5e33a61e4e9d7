#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

namespace troupe {

/// Bytes that belong to somebody else; good only for the call they are passed to.
using bytes_view = std::span<const std::byte>;

/// Views text as bytes, and bytes as text.
[[nodiscard]] inline bytes_view as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span{text.data(), text.size()});
}
[[nodiscard]] inline std::string_view as_text(bytes_view bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Bytes that never change, shared by whoever holds them: what is sent to many is made once.
///
/// Copying costs one atomic increment. Thread: any.
class shared_bytes {
public:
  shared_bytes() noexcept = default;

  /// Copies `bytes`; the only copy there is.
  explicit shared_bytes(bytes_view bytes);
  explicit shared_bytes(std::string_view text) : shared_bytes(as_bytes(text)) {}

  /// Becomes a copy of `bytes`, in the memory that it has, if nobody shares that and they fit. Views of what it held
  /// end with this; who has copied it keeps what was there. Thread: one that has this object for itself.
  void assign(bytes_view bytes);

  [[nodiscard]] std::size_t size() const noexcept { return block_ ? block_->size : 0; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] const std::byte* data() const noexcept {
    return block_ ? reinterpret_cast<const std::byte*>(block_.get() + 1) : nullptr;
  }
  [[nodiscard]] bytes_view view() const noexcept { return {data(), size()}; }
  [[nodiscard]] std::string_view text() const noexcept { return as_text(view()); }

private:
  // The bytes follow the block in one allocation.
  struct block : caf::ref_counted {
    explicit block(std::size_t n) noexcept : size(n), capacity(n) {}
    static void operator delete(void* p) { ::operator delete(p); }
    std::size_t size;
    const std::size_t capacity;
  };
  caf::intrusive_ptr<block> block_;
};

} // namespace troupe

// Shared inside a process, never serialized: another node gets its bytes as a string.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::shared_bytes)
