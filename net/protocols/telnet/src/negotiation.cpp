#include <troupe/telnet/negotiation.hpp>

namespace troupe {

namespace {

constexpr telnet_command on(telnet_side side) {
  return side == telnet_side::local ? telnet_command::will : telnet_command::do_;
}
constexpr telnet_command off(telnet_side side) {
  return side == telnet_side::local ? telnet_command::wont : telnet_command::dont;
}
constexpr telnet_side side_of(telnet_command verb) {
  return verb == telnet_command::do_ || verb == telnet_command::dont ? telnet_side::local
                                                                     : telnet_side::remote;
}
constexpr bool positive(telnet_command verb) {
  return verb == telnet_command::do_ || verb == telnet_command::will;
}

} // namespace

telnet_negotiation::state telnet_negotiation::get(telnet_side side,
                                                  telnet_option option) const noexcept {
  const auto both = states_[static_cast<std::uint8_t>(option)];
  return static_cast<state>(side == telnet_side::local ? both & 15 : both >> 4);
}

void telnet_negotiation::set(telnet_side side, telnet_option option, state to) noexcept {
  auto& both = states_[static_cast<std::uint8_t>(option)];
  const auto bits = static_cast<std::uint8_t>(to);
  both = static_cast<std::uint8_t>(side == telnet_side::local ? (both & 0xf0) | bits
                                                              : (both & 0x0f) | bits << 4);
}

bool telnet_negotiation::asks(telnet_command verb, telnet_option option) const noexcept {
  return positive(verb) && get(side_of(verb), option) == state::no;
}

telnet_step telnet_negotiation::received(telnet_command verb, telnet_option option, bool agree) {
  const auto side = side_of(verb);
  const bool yes = positive(verb);
  telnet_step step;
  switch (get(side, option)) {
  case state::no:
    if (!yes)
      break;
    step.verb = agree ? on(side) : off(side);
    step.enabled = agree;
    set(side, option, agree ? state::yes : state::no);
    break;
  case state::yes:
    if (yes)
      break;
    step.verb = off(side);
    step.disabled = true;
    set(side, option, state::no);
    break;
  case state::want_no: // whatever it is answered with: to disable cannot be declined
    step.answered = true;
    step.disabled = true;
    set(side, option, state::no);
    break;
  case state::want_no_opposite:
    step.answered = true;
    step.declined = yes;
    step.disabled = !yes;
    if (!yes)
      step.verb = on(side);
    set(side, option, yes ? state::yes : state::want_yes);
    break;
  case state::want_yes:
    step.answered = true;
    step.enabled = yes;
    step.declined = !yes;
    set(side, option, yes ? state::yes : state::no);
    break;
  case state::want_yes_opposite:
    step.answered = true;
    step.enabled = yes;
    step.declined = !yes;
    if (yes)
      step.verb = off(side);
    set(side, option, yes ? state::want_no : state::no);
    break;
  }
  return step;
}

telnet_request telnet_negotiation::request(telnet_side side, telnet_option option, bool enable,
                                           telnet_step& step) {
  switch (get(side, option)) {
  case state::no:
    if (!enable)
      return telnet_request::already;
    step.verb = on(side);
    set(side, option, state::want_yes);
    return telnet_request::sent;
  case state::yes:
    if (enable)
      return telnet_request::already;
    step.verb = off(side);
    set(side, option, state::want_no);
    return telnet_request::sent;
  case state::want_no:
    if (!enable)
      return telnet_request::negotiating;
    set(side, option, state::want_no_opposite);
    return telnet_request::queued;
  case state::want_no_opposite:
    if (enable)
      return telnet_request::negotiating;
    set(side, option, state::want_no);
    return telnet_request::unqueued;
  case state::want_yes:
    if (enable)
      return telnet_request::negotiating;
    set(side, option, state::want_yes_opposite);
    return telnet_request::queued;
  case state::want_yes_opposite:
    if (!enable)
      return telnet_request::negotiating;
    set(side, option, state::want_yes);
    return telnet_request::unqueued;
  }
  return telnet_request::already;
}

} // namespace troupe
