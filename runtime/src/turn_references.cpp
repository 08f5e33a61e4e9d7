#include <troupe/runtime/detail/turn_references.hpp>

#include <algorithm>

namespace troupe::detail {

constinit thread_local turn_references this_turn{};

// As many as have been needed so far.
void turn_references::add() noexcept {
  constexpr std::uint32_t most = 64;
  credit = more;
  acting->strong_refs.fetch_add(credit, std::memory_order_relaxed);
  more = std::min(2 * more, most);
}

} // namespace troupe::detail
