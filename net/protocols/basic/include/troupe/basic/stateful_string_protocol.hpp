#pragma once

#include <concepts>
#include <optional>
#include <string_view>

#include <troupe/basic/string_receiver.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

/// Gives each string that a receiver `R` gets to the member function that is its present state, which
/// returns the next one.
///
/// States are functions, never names that a peer could choose.
///
/// ```cpp
/// class login : public troupe::stateful_string_protocol<troupe::netstring_receiver> {
/// public:
///   using stateful_string_protocol::stateful_string_protocol;
///   state initial_state() override { return &login::user; }
///   state user(std::string_view name) { ...; return &login::password; }
///   state password(std::string_view word) { ...; return done; }
/// };
/// ```
///
/// Thread: its loop's. Source: twisted.protocols.stateful's kin, StatefulStringProtocol of
/// twisted.protocols.basic
template <std::derived_from<string_receiver> R>
class stateful_string_protocol : public R {
public:
  /// A member function that takes a string, or `done`.
  class state {
  public:
    template <std::derived_from<stateful_string_protocol> P>
    state(state (P::*entered)(std::string_view)) noexcept
      : function_(static_cast<function>(entered)) {}

  private:
    friend class stateful_string_protocol;
    using function = state (stateful_string_protocol::*)(std::string_view);
    state() noexcept = default;
    function function_ = nullptr;
  };

  using R::R;

  /// Returns the first state; called with the first string that comes.
  virtual state initial_state() = 0;

  /// Closes the connection: the state behind the last one.
  static inline const state done{};

  void string_received(std::string_view string) final {
    if (!state_)
      state_ = initial_state();
    if (state_->function_ != nullptr)
      state_ = (this->*state_->function_)(string);
    if (state_->function_ == nullptr && this->connected())
      this->transport().lose_connection();
  }

private:
  std::optional<state> state_;
};

} // namespace troupe
