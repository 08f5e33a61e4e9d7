#include <troupe/runtime/bytes.hpp>

#include <cstring>
#include <new>

namespace troupe {

shared_bytes::shared_bytes(bytes_view bytes) {
  if (bytes.empty())
    return;
  auto* memory = ::operator new(sizeof(block) + bytes.size());
  auto* made = ::new (memory) block(bytes.size());
  std::memcpy(static_cast<std::byte*>(memory) + sizeof(block), bytes.data(), bytes.size());
  block_.reset(made, false); // it counts its first holder already
}

void shared_bytes::assign(bytes_view bytes) {
  if (!block_ || !block_->unique() || bytes.size() > block_->capacity) {
    *this = shared_bytes{bytes};
    return;
  }
  if (!bytes.empty())
    std::memmove(static_cast<void*>(block_.get() + 1), bytes.data(), bytes.size());
  block_->size = bytes.size();
}

} // namespace troupe
