#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include <troupe/net/protocol.hpp>

namespace troupe {

/// Reads parts of known sizes: each state is a member function and how many bytes it wants, and
/// returns the next one.
///
/// ```cpp
/// class records : public troupe::stateful_protocol {
/// public:
///   using stateful_protocol::stateful_protocol;
///   state initial_state() override { return {&records::header, 4}; }
///   state header(std::string_view bytes) { return {&records::body, size_of(bytes)}; }
///   state body(std::string_view bytes) { ...; return {&records::header, 4}; }
/// };
/// ```
///
/// A state that wants no bytes is entered at once. Nothing is delivered once the connection is told to
/// close, or the actor to quit.
///
/// Thread: its loop's. Source: twisted.protocols.stateful.StatefulProtocol
class stateful_protocol : public protocol {
public:
  using super = protocol;

  /// A member function of the protocol, and how many bytes it is called with.
  class state {
  public:
    template <std::derived_from<stateful_protocol> P>
    state(state (P::*entered)(std::string_view), std::size_t bytes) noexcept
      : function_(static_cast<function>(entered)), bytes_(bytes) {}

    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  private:
    friend class stateful_protocol;
    using function = state (stateful_protocol::*)(std::string_view);
    function function_;
    std::size_t bytes_;
  };

  explicit stateful_protocol(caf::actor_config& cfg) : super(cfg) {}

  /// Returns the first state; called with the first bytes that come.
  virtual state initial_state() = 0;

  /// Delivers nothing and stops reading until `resume_states`. What came already is kept.
  void pause_states();

  /// Goes on, first with what was kept; inside this call, unless it is made by a state.
  void resume_states();

  [[nodiscard]] bool paused() const noexcept { return paused_; }

  /// Sets how many bytes a state may want, and so how many are kept; 99,999 at first. One that wants
  /// more closes the connection with `errc::message_too_long`: the number comes from the peer mostly.
  void set_max_length(std::size_t bytes) noexcept { max_length_ = bytes; }
  [[nodiscard]] std::size_t max_length() const noexcept { return max_length_; }

  void data_received(bytes_view data) override;

private:
  bool stopped() const noexcept;
  void deliver(std::string_view data);
  bool enter_state(std::string_view bytes);

  state state_{&stateful_protocol::begin, 0};
  std::string kept_; // what came and is not delivered: less than the state wants, or while paused
  std::size_t kept_begin_ = 0; // in front of it everything is delivered
  std::size_t max_length_ = 99'999;
  std::size_t without_input_ = 0; // states in a row that wanted nothing
  bool paused_ = false;
  bool delivering_ = false;

  state begin(std::string_view) { return initial_state(); }
};

} // namespace troupe
