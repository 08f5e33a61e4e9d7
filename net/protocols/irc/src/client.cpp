#include <troupe/irc/client.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/irc/split_text.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::irc {

client::client(caf::actor_config& cfg, client_options options)
  : protocol(cfg), options_(std::move(options)), nick_(options_.nick), tried_(options_.nick) {}

client::~client() = default;

// -- the connection -------------------------------------------------------------------------------

void client::connection_made() {
  heard_ = loop().time();
  if (options_.ping_every)
    watch_ = call_later(*options_.ping_every, [this] { watch(); });
  begin_registration();
}

void client::connection_lost(const failure& reason) {
  waiting_.clear();
  signed_on_ = false;
  end_lookups(reason);
}

void client::watch() {
  const auto silent = loop().time() - heard_;
  if (silent < *options_.ping_every) {
    pinged_ = false;
    watch_ = call_later(*options_.ping_every - silent, [this] { watch(); });
    return;
  }
  if (pinged_)
    return quit_for_silence();
  pinged_ = true;
  std::string ping;
  line{ping, "", "PING"}.trailing("troupe").end();
  at_once(ping);
  watch_ = call_later(options_.ping_wait, [this] { watch(); });
}

void client::quit_for_silence() {
  quit_with(failure{errc::timed_out, "the server has been silent"});
}

// Nothing of what waits is sent any more: who is silent would not take it.
void client::quit_with(const failure& why) {
  waiting_.clear();
  lose_connection(why);
}

void client::data_received(bytes_view data) {
  heard_ = loop().time();
  pinged_ = false;
  auto rest = as_text(data);
  while (connected() && !transport().disconnecting()) {
    std::string_view text;
    const auto found = lines_.next(rest, text);
    if (found == line_splitter::status::more)
      return;
    message m;
    const auto fault = found == line_splitter::status::line ? m.parse(text) : message_fault::none;
    if (found == line_splitter::status::too_long || fault != message_fault::none)
      loop().scheduler().logger().warn(
        "[{}] no message: {}: {}", log_name(),
        found == line_splitter::status::too_long ? "a line that is too long" : to_string(fault),
        quoted_text(text, 100));
    else
      dispatch(m);
  }
}

// -- sending --------------------------------------------------------------------------------------

void client::at_once(std::string_view lines) {
  transport().write(lines);
}

bool client::enqueue(std::string text) {
  if (!connected() || transport().disconnecting() || waiting_.size() >= options_.most_waiting)
    return false;
  waiting_.push_back(std::move(text));
  if (!pace_.active())
    send_waiting();
  return true;
}

void client::send_waiting() {
  const auto now = loop().time();
  allowance_ = std::max(allowance_, now);
  const auto burst =
    options_.line_every * static_cast<int>(std::max<std::size_t>(1, options_.burst));
  while (!waiting_.empty()) {
    if (allowance_ - now + options_.line_every > burst) {
      pace_ = call_later(options_.line_every, [this] { send_waiting(); });
      return;
    }
    allowance_ += options_.line_every;
    at_once(waiting_.front());
    waiting_.pop_front();
  }
}

bool client::send_message(std::string_view command,
                          std::initializer_list<std::string_view> params) {
  std::string out;
  append_line(out, "", command, {params.begin(), params.size()});
  if (out.size() > longest_line)
    throw std::invalid_argument("irc::client: a message that is longer than 512 bytes");
  return enqueue(std::move(out));
}

std::string client::channel_name(std::string_view name) const {
  return features_.is_channel(name) || name.starts_with('!') || name.starts_with('+')
           ? std::string{name}
           : '#' + std::string{name};
}

bool client::join(std::string_view channel, std::string_view key) {
  const auto name = channel_name(channel);
  if (options_.remember && keys_.size() < 1000)
    keys_[fold(name, features_.names())] = key;
  return key.empty() ? send_message("JOIN", {name}) : send_message("JOIN", {name, key});
}

bool client::leave(std::string_view channel, std::string_view reason) {
  const auto name = channel_name(channel);
  return reason.empty() ? send_message("PART", {name}) : send_message("PART", {name, reason});
}

bool client::kick(std::string_view channel, std::string_view nick, std::string_view reason) {
  const auto name = channel_name(channel);
  return reason.empty() ? send_message("KICK", {name, nick})
                        : send_message("KICK", {name, nick, reason});
}

bool client::invite(std::string_view nick, std::string_view channel) {
  return send_message("INVITE", {nick, channel_name(channel)});
}

bool client::set_topic(std::string_view channel, std::string_view topic) {
  return send_message("TOPIC", {channel_name(channel), topic});
}

bool client::ask_topic(std::string_view channel) {
  return send_message("TOPIC", {channel_name(channel)});
}

bool client::ask_names(std::string_view channel) {
  return send_message("NAMES", {channel_name(channel)});
}

bool client::set_nick(std::string_view nick) {
  tried_ = nick;
  tries_ = 0;
  return send_message("NICK", {nick});
}

bool client::away(std::string_view text) {
  return text.empty() ? send_message("AWAY", {}) : send_message("AWAY", {text});
}

bool client::talk(std::string_view command, std::string_view to, std::string_view text) {
  // Until the server has told how others see us, the longest that is usual is taken.
  const auto room =
    text_room(prefix_.empty() ? nick_ + "!" + std::string(10 + 1 + 63, 'x') : prefix_, command, to);
  for (const auto piece : split_text(text, room)) {
    std::string out;
    line{out, "", command}.param(to).trailing(piece).end();
    if (!enqueue(std::move(out)))
      return false;
  }
  return true;
}

bool client::say(std::string_view to, std::string_view text) {
  return talk("PRIVMSG", to, text);
}

bool client::notice(std::string_view to, std::string_view text) {
  return talk("NOTICE", to, text);
}

bool client::act(std::string_view to, std::string_view text) {
  constexpr std::size_t around = 9; // of "\1ACTION " and "\1"
  const auto room = text_room(
    prefix_.empty() ? nick_ + "!" + std::string(10 + 1 + 63, 'x') : prefix_, "PRIVMSG", to);
  for (const auto piece : split_text(text, room > around + 4 ? room - around : 4))
    if (!ctcp(to, {"ACTION", std::string{piece}}))
      return false;
  return true;
}

bool client::ctcp(std::string_view to, const ctcp_request& request, bool as_reply) {
  std::string out;
  line{out, "", as_reply ? "NOTICE" : "PRIVMSG"}.param(to).trailing(ctcp_string(request)).end();
  if (out.size() > longest_line)
    throw std::invalid_argument("irc::client: a request that is longer than a line");
  return enqueue(std::move(out));
}

bool client::dcc(std::string_view to, const dcc_request& request) {
  return ctcp(to, to_ctcp(request));
}

void client::quit(std::string_view reason) {
  if (!connected())
    return;
  std::string out;
  line{out, "", "QUIT"}.trailing(reason).end();
  at_once(out);
}

// -- what it knows --------------------------------------------------------------------------------

bool client::is_me(std::string_view nick) const {
  return same_name(nick, nick_, features_.names());
}

bool client::has_capability(std::string_view name) const {
  return std::ranges::count(capabilities_, name) != 0;
}

} // namespace troupe::irc
