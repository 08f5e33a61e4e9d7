#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include <troupe/runtime/detail/loop_counting.hpp>
#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe::detail {

/// How a connection ended, for those who count it.
struct ended_connection {
  errc reason = errc::none;
  bool connected = false; // `connection_made` was called
  std::uint64_t refused_writes = 0;
};

/// What is counted of the connections of one factory, or of several of the same name, on one loop.
///
/// Thread: that of the loop increases them; any reads.
struct connection_counts {
  using by_reason = std::array<own_count, 128>; // by the number of the `errc`

  own_count accepted; // a protocol was built
  own_count refused;  // the factory built none
  own_count closed;
  own_count handshakes_failed; // closed, and never connected
  own_count refused_writes;    // of those that are closed
  own_count attempts;          // to connect
  own_count restarts;          // of the factory, by its supervisor
  by_reason closed_by{};
  by_reason failed_by{}; // attempts

  void ended(const ended_connection& how) noexcept;
  void attempt_failed(const failure& why) noexcept { failed_by[index_of(code_of(why))].add(); }

  /// Returns the `errc` that says most of `why`.
  static errc code_of(const failure& why) noexcept;
  static std::size_t index_of(errc code) noexcept;

  /// Returns the counts under `name` on `loop`: always the same ones. Of very many names, the last
  /// share one. Thread: any.
  static std::shared_ptr<connection_counts> of(event_loop& loop, const std::string& name);
};

/// Calls `fn(name, counts)` for all that is counted on `loop`. Thread: any.
void each_connection_counts(
  event_loop& loop,
  const std::function<void(const std::string& name, const connection_counts& counts)>& fn);

} // namespace troupe::detail
