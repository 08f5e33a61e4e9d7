#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>

#include <troupe/net/detail/output_queue.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe::detail {

/// What the connections of one loop share, memory above all: found through the loop's Asio context.
class loop_memory final : public asio::execution_context::service, private end_of_turn {
public:
  using key_type = loop_memory; // as Asio wants it
  static inline asio::execution_context::id id;

  static constexpr std::size_t read_bytes = 65536; // the most that data_received is given at once

  explicit loop_memory(asio::execution_context& context);

  /// Where the rest of a large input is read to. Used within one call only: no operation that
  /// outlives the call may refer to it.
  [[nodiscard]] std::byte* scratch() noexcept { return scratch_.get(); }

  /// Returns a buffer of `read_bytes` that a connection in the middle of bulk data may read into,
  /// or null if as many are out as may be. The limit bounds what connections hold that sent much
  /// once and then fell silent.
  std::byte* take_bulk();
  void give_bulk(std::byte* buffer) noexcept;

  chunk_pool chunks;

  /// How many connections whose peers do not read a turn gives up: to free what one has unsent takes
  /// the system up to a third of a millisecond.
  static constexpr unsigned drops_per_turn = 32;

  /// Tells whether one more may be given up in this turn of `loop`, and counts it.
  bool may_drop(event_loop& loop);

private:
  void shutdown() override {}
  void turn_ended() noexcept override {}
  void turn_flushed() noexcept override { dropped_ = 0; }

  static constexpr std::size_t bulk_at_most = 64;
  std::unique_ptr<std::byte[]> scratch_;
  std::vector<std::unique_ptr<std::byte[]>> idle_bulk_;
  std::size_t bulk_out_ = 0;
  unsigned dropped_ = 0; // in this turn
};

} // namespace troupe::detail
