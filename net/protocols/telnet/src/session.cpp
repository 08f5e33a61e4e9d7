#include <troupe/telnet/session.hpp>

#include <algorithm>
#include <utility>

#include <troupe/telnet/error.hpp>

namespace troupe {

telnet_session::~telnet_session() = default;

void telnet_session::send_text(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  if (enabled(telnet_side::local, telnet_option::binary))
    append_telnet_escaped(out, text);
  else
    append_telnet_text(out, text, after_cr_);
  if (!out.empty())
    send_bytes(out);
}

void telnet_session::send_command(telnet_command c) {
  std::string out;
  append_telnet_command(out, c);
  send_bytes(out);
}

void telnet_session::send_subnegotiation(telnet_option o, std::string_view data) {
  std::string out;
  append_telnet_subnegotiation(out, o, data);
  send_bytes(out);
}

void telnet_session::send_verb(telnet_command verb, telnet_option o) {
  std::string out;
  append_telnet_negotiation(out, verb, o);
  send_bytes(out);
}

void telnet_session::command_received(telnet_command c) {
  if (c == telnet_command::are_you_there)
    send_text("\n[Yes]\n");
}

void telnet_session::negotiation(telnet_command verb, telnet_option o) {
  const auto side = verb == telnet_command::do_ || verb == telnet_command::dont
                      ? telnet_side::local
                      : telnet_side::remote;
  const bool agree = options_.asks(verb, o) && agrees(side, o);
  const auto step = options_.received(verb, o, agree);
  if (step.verb != telnet_command::nop)
    send_verb(step.verb, o);
  if (step.enabled || step.disabled) {
    if (o == telnet_option::binary && side == telnet_side::remote)
      parser_.set_line_ends(step.enabled ? telnet_line_ends::binary : ends_);
    option_changed(side, o, step.enabled);
  }
  if (step.answered)
    answered(side, o, step.declined);
}

chained<void> telnet_session::request_option(telnet_side side, telnet_option o, bool enable) {
  telnet_step step;
  const auto got = options_.request(side, o, enable, step);
  if (got == telnet_request::already)
    return chained<void>{
      fail(make_error_code(enable ? telnet_errc::already_enabled : telnet_errc::already_disabled))};
  if (got == telnet_request::unqueued) { // the one behind the first never gets its turn
    const auto second = std::find_if(waiting_.rbegin(), waiting_.rend(), [&](const waiting& w) {
      return w.side == side && w.option == o;
    });
    if (second != waiting_.rend()) { // else `end` has failed it
      auto answer = std::move(second->answer);
      waiting_.erase(std::next(second).base());
      answer.errback(make_error_code(telnet_errc::superseded));
    }
  }
  if (got == telnet_request::negotiating || got == telnet_request::unqueued)
    return chained<void>{fail(make_error_code(telnet_errc::already_negotiating))};
  promise<void> answer;
  auto result = answer.get_deferred();
  waiting_.push_back({side, o, std::move(answer)});
  if (step.verb != telnet_command::nop)
    send_verb(step.verb, o);
  return chained<void>{std::move(result)};
}

// The first that waits for this option has its answer; and so has the second, unless it is asked for now.
void telnet_session::answered(telnet_side side, telnet_option o, bool declined) {
  const auto take = [&] {
    promise<void> taken;
    const auto at = std::find_if(waiting_.begin(), waiting_.end(),
                                 [&](const waiting& w) { return w.side == side && w.option == o; });
    if (at != waiting_.end()) {
      taken = std::move(at->answer);
      waiting_.erase(at);
    }
    return taken;
  };
  auto first = take();
  const bool all = !options_.pending(side, o);
  auto second = all ? take() : promise<void>{};
  if (declined)
    first.errback(make_error_code(telnet_errc::option_refused));
  else
    first.callback();
  second.callback();
}

void telnet_session::end(const failure& why) {
  parser_.stop();
  for (auto& w : std::exchange(waiting_, {}))
    w.answer.errback(why);
}

} // namespace troupe
