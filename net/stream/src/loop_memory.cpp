#include "loop_memory.hpp"

namespace troupe::detail {

loop_memory::loop_memory(asio::execution_context& context)
  : asio::execution_context::service(context),
    scratch_(std::make_unique_for_overwrite<std::byte[]>(read_bytes)) {}

std::byte* loop_memory::take_bulk() {
  if (bulk_out_ == bulk_at_most)
    return nullptr;
  ++bulk_out_;
  if (idle_bulk_.empty())
    return std::make_unique_for_overwrite<std::byte[]>(read_bytes).release();
  auto* buffer = idle_bulk_.back().release();
  idle_bulk_.pop_back();
  return buffer;
}

void loop_memory::give_bulk(std::byte* buffer) noexcept {
  --bulk_out_;
  idle_bulk_.emplace_back(buffer);
}

bool loop_memory::may_drop(event_loop& loop) {
  if (dropped_ == drops_per_turn)
    return false;
  if (dropped_++ == 0)
    loop.after_flush(*this);
  return true;
}

} // namespace troupe::detail
