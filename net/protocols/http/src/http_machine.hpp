#pragma once

#include <array>
#include <cstddef>
#include <new>

#include <llhttp.h>

namespace troupe::detail {

/// Returns the state of llhttp that a parser keeps in this memory, so that its header need not know llhttp's.
inline llhttp_t& http_machine(std::array<std::byte, 160>& storage) noexcept {
  static_assert(sizeof(llhttp_t) <= 160);
  return *std::launder(reinterpret_cast<llhttp_t*>(storage.data()));
}

} // namespace troupe::detail
