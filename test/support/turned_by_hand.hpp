#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <troupe/net/factory.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_clock.hpp>
#include <troupe/testing/string_transport.hpp>

namespace troupe::testing {

/// A clock on which a microsecond passes whenever somebody looks at it.
class passing_clock final : public manual_clock {
public:
  [[nodiscard]] time_point now() const override {
    return manual_clock::now() + std::chrono::microseconds(++looks_);
  }

private:
  mutable std::int64_t looks_ = 0;
};

/// A runtime that a test turns by hand, and whose turns are over as soon as somebody asks: what looks at
/// `event_loop::should_yield` does one thing a turn.
///
/// Thread: one.
struct turned_by_hand {
  passing_clock time;
  runtime rt{{.loops = 1,
              .time_per_turn = std::chrono::nanoseconds(1),
              .install_signal_handlers = false,
              .logger = collecting_logger(),
              .time_source = &time}};

  void turn() { rt.reactor().iterate(); }

  /// Turns until `done()`; returns how many turns that took, at most 10,000.
  template <class F>
  std::size_t turn_until(F&& done) {
    std::size_t turns = 0;
    while (!done() && turns < 10'000) {
      turn();
      ++turns;
    }
    return turns;
  }

  /// Runs `fn()` in a turn.
  template <class F>
  void in_turn(F&& fn) {
    if (event_loop::current() != nullptr)
      return fn();
    bool made = false;
    rt.reactor().call_from_thread([&] {
      fn();
      made = true;
    });
    turn_until([&] { return made; });
  }
};

/// A connection without a network to what a factory builds, in a runtime that is turned by hand.
///
/// Thread: one.
struct connection_by_hand {
  connection_by_hand(turned_by_hand& on, factory_ref f) : by(on), made_by(std::move(f)) {
    by.in_turn([&] {
      auto& loop = by.rt.scheduler().loop(0);
      made_by.start(by.rt.system(), loop);
      made_by.get()->enter([&] { built = made_by.get()->build({}, loop); });
      built->enter([&] { built->make_connection(transport); });
    });
  }
  ~connection_by_hand() { lose(errc::runtime_stopped); }
  connection_by_hand(const connection_by_hand&) = delete;
  connection_by_hand& operator=(const connection_by_hand&) = delete;

  void deliver(std::string_view text) {
    by.in_turn([&] { built->enter([&] { built->receive(as_bytes(text)); }); });
  }
  void lose(const failure& why) {
    by.in_turn([&] {
      if (!built->connected())
        return;
      transport.close();
      built->end_connection(why);
    });
  }

  turned_by_hand& by;
  string_transport transport;
  factory_ref made_by;
  protocol_ptr built;
};

} // namespace troupe::testing
