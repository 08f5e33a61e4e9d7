#pragma once

#include <array>
#include <cstdint>

#include <troupe/telnet/codes.hpp>

namespace troupe {

/// Whose option it is: `local` is what we do (WILL, and the peer's DO), `remote` what the peer does (DO,
/// and the peer's WILL).
enum class telnet_side : std::uint8_t { local, remote };

/// What became of a request for a change.
enum class telnet_request : std::uint8_t {
  sent,        ///< it is on its way: `telnet_step::verb` is to be sent
  queued,      ///< the opposite is on its way, and this comes behind its answer
  unqueued,    ///< the same is on its way, and the opposite, which was queued, is not any more
  negotiating, ///< the same is on its way, or queued, already
  already,     ///< it is so already
};

/// What follows from one event of a negotiation.
struct telnet_step {
  /// What is to be sent: one of WILL, WONT, DO and DONT; `nop` for nothing.
  telnet_command verb = telnet_command::nop;
  bool enabled = false;  ///< the option has just been agreed on
  bool disabled = false; ///< it was agreed on, and is no more
  bool answered = false; ///< this answers a request of ours
  bool declined = false; ///< and the peer does not do as it was asked
};

/// The state of all options of both sides, by the method that cannot loop.
///
/// It sends nothing but answers to changes and what is asked for: never more answers than there were
/// requests. A request that is the opposite of one on its way waits for the answer to that.
///
/// ```cpp
/// const auto step = options.received(telnet_command::will, telnet_option::window_size, true);
/// // step.verb == telnet_command::do_, step.enabled
/// ```
///
/// Thread: one at a time. Source: RFC 1143, section 7: the Q method with its queue of one
class telnet_negotiation {
public:
  /// Takes one of WILL, WONT, DO and DONT that came.
  ///
  /// \param agree  whether the option may be enabled if it is for us to say; looked at only where
  ///               the peer asks: `asks`
  telnet_step received(telnet_command verb, telnet_option option, bool agree);

  /// Tells whether `verb` is a request to enable that is for us to agree to.
  [[nodiscard]] bool asks(telnet_command verb, telnet_option option) const noexcept;

  /// Asks the peer for a change; `step.verb` is set where something is to be sent.
  telnet_request request(telnet_side side, telnet_option option, bool enable, telnet_step& step);

  /// Tells whether the option is agreed on.
  [[nodiscard]] bool enabled(telnet_side side, telnet_option option) const noexcept {
    return get(side, option) == state::yes;
  }

  /// Tells whether a request of ours waits for its answer.
  [[nodiscard]] bool pending(telnet_side side, telnet_option option) const noexcept {
    return get(side, option) > state::yes;
  }

private:
  enum class state : std::uint8_t {
    no,
    yes,
    want_no,
    want_no_opposite, // and then yes
    want_yes,
    want_yes_opposite, // and then no
  };

  [[nodiscard]] state get(telnet_side side, telnet_option option) const noexcept;
  void set(telnet_side side, telnet_option option, state to) noexcept;

  std::array<std::uint8_t, 256> states_{}; // local in the low half of each
};

} // namespace troupe
