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

} // namespace troupe
