#include <troupe/irc/client.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/irc/split_text.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/runtime/detail/base64.hpp>
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

void client::begin_registration() {
  std::string out = "CAP LS 302\r\n";
  const auto add = [&out](std::string_view command,
                          std::initializer_list<std::string_view> params) {
    append_line(out, "", command, {params.begin(), params.size()});
  };
  if (!options_.password.empty())
    add("PASS", {options_.password});
  add("NICK", {tried_});
  const auto& user = options_.user.empty() ? options_.nick : options_.user;
  const auto& realname = options_.realname.empty() ? options_.nick : options_.realname;
  line{out, "", "USER"}.param(user).param("0").param("*").trailing(realname).end();
  at_once(out);
}

void client::connection_lost(const failure&) {
  waiting_.clear();
  signed_on_ = false;
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

void client::refused(std::string_view why) {
  quit_with(failure{errc::connection_refused, printable(why)});
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

void client::quit(std::string_view reason) {
  if (!connected())
    return;
  std::string out;
  line{out, "", "QUIT"}.trailing(reason).end();
  at_once(out);
}

// -- what comes -----------------------------------------------------------------------------------

bool client::is_me(std::string_view nick) const {
  return same_name(nick, nick_, features_.names());
}

bool client::has_capability(std::string_view name) const {
  return std::ranges::count(capabilities_, name) != 0;
}

void client::forget_channel(std::string_view name) {
  std::erase_if(channels_, [&](const auto& c) { return same_name(c, name, features_.names()); });
  names_.erase(fold(name, features_.names()));
}

void client::dispatch(const message& m) {
  if (const auto number = m.numeric(); number != 0) {
    on_numeric(number, m);
    if (connected())
      numeric(number, m);
    return;
  }
  const auto who = split_prefix(m.prefix());
  const auto account = m.tag("account").value_or("");
  const auto time = m.tag("time").value_or("");
  const origin from{who.nick, who.user, who.host, account, time, is_me(who.nick)};
  if (from.myself && !who.host.empty() && prefix_ != m.prefix())
    prefix_ = m.prefix();
  if (m.is("PING")) {
    std::string pong;
    line{pong, "", "PONG"}.trailing(m.last()).end();
    at_once(pong);
  } else if (m.is("PRIVMSG") || m.is("NOTICE")) {
    on_talk(m, from, m.is("NOTICE"));
  } else if (m.is("JOIN")) {
    const auto channel = m.param(0);
    if (!from.myself)
      return user_joined(from, channel);
    forget_channel(channel);
    if (channels_.size() < 1000)
      channels_.emplace_back(channel);
    joined(channel);
  } else if (m.is("PART")) {
    if (!from.myself)
      return user_left(from, m.param(0), m.param(1));
    forget_channel(m.param(0));
    left(m.param(0));
  } else if (m.is("KICK")) {
    if (!is_me(m.param(1)))
      return user_kicked(m.param(1), m.param(0), from, m.param(2));
    forget_channel(m.param(0));
    kicked_from(m.param(0), from, m.param(2));
  } else if (m.is("QUIT")) {
    if (!from.myself)
      user_quit(from, m.param(0));
  } else if (m.is("NICK")) {
    if (!from.myself)
      return user_renamed(from, m.param(0));
    nick_ = m.param(0);
    tried_ = nick_;
    prefix_.clear();
    nick_changed(nick_);
  } else if (m.is("TOPIC")) {
    topic_updated(from.nick, m.param(0), m.param(1));
  } else if (m.is("MODE")) {
    on_mode(m, from);
  } else if (m.is("INVITE")) {
    invited(from, m.param(1));
  } else if (m.is("AWAY")) {
    away_changed(from, m.param(0));
  } else if (m.is("CAP")) {
    on_cap(m);
  } else if (m.is("AUTHENTICATE")) {
    on_authenticate();
  } else if (m.is("ERROR")) {
    error(m.param(0));
  } else if (!m.is("PONG")) {
    unknown(m);
  }
}

void client::on_talk(const message& m, const origin& from, bool notice) {
  const auto to = m.param(0);
  const auto parts = ctcp_extract(m.param(1));
  for (const auto& request : parts.requests) {
    if (!connected())
      return;
    if (notice && from.myself)
      continue; // an echo of what we answered
    if (notice)
      ctcp_reply(from, request);
    else if (request.tag == "ACTION")
      action(from, to, request.data.value_or(""));
    else if (!from.myself)
      ctcp_query(from, to, request);
  }
  if (parts.text.empty() || !connected())
    return;
  if (notice)
    noticed(from, to, parts.text);
  else
    privmsg(from, to, parts.text);
}

void client::ctcp_query(const origin& from, std::string_view, const ctcp_request& request) {
  const auto now = loop().time();
  if (answered_ != time_point{} && now - answered_ < std::chrono::seconds{1})
    return;
  ctcp_request reply{request.tag, {}};
  if (request.tag == "VERSION" && !options_.version.empty())
    reply.data = options_.version;
  else if (request.tag == "PING" && request.data)
    reply.data = request.data->substr(0, 64);
  else
    return;
  if (from.nick.empty() || from.nick.front() == ':')
    return;
  answered_ = now;
  ctcp(from.nick, reply, true);
}

void client::on_mode(const message& m, const origin& from) {
  const auto target = m.param(0);
  const bool channel = features_.is_channel(target);
  std::size_t next = 2;
  bool set = true;
  for (const char mode : m.param(1)) {
    if (mode == '+' || mode == '-') {
      set = mode == '+';
      continue;
    }
    const bool with = channel && features_.has_parameter(mode, set);
    mode_changed(from, target, set, mode, with ? m.param(next++) : std::string_view{});
    if (!connected())
      return;
  }
}

// -- registration ---------------------------------------------------------------------------------

void client::on_cap(const message& m) {
  const auto verb = m.param(1);
  const auto list = m.last();
  const auto each = [](std::string_view words, auto fn) {
    while (!words.empty()) {
      const auto one = words.substr(0, words.find(' '));
      words.remove_prefix(std::min(words.size(), one.size() + 1));
      if (!one.empty())
        fn(one.substr(0, one.find('=')));
    }
  };
  const bool wants_login = !options_.account.empty() || options_.external;
  if (verb == "LS" && !signed_on_) {
    if (offered_.size() < 8192)
      offered_.append(list).append(" ");
    if (m.size() > 3 && m.param(2) == "*")
      return; // more comes
    std::string wanted;
    bool sasl = false;
    each(std::exchange(offered_, {}), [&](std::string_view one) {
      const bool is_sasl = one == "sasl" && wants_login;
      sasl = sasl || is_sasl;
      if (is_sasl || std::ranges::count(options_.capabilities, one) != 0)
        wanted.append(wanted.empty() ? "" : " ").append(one);
    });
    if (wants_login && !sasl)
      return refused("the server offers no SASL");
    std::string out;
    if (wanted.empty())
      out = "CAP END\r\n";
    else
      line{out, "", "CAP"}.param("REQ").trailing(wanted).end();
    at_once(out);
  } else if (verb == "ACK") {
    each(list, [&](std::string_view one) {
      const bool off = one.starts_with('-');
      const auto name = one.substr(off ? 1 : 0);
      std::erase(capabilities_, name);
      if (!off && capabilities_.size() < 200)
        capabilities_.emplace_back(name);
    });
    if (signed_on_)
      return;
    at_once(!wants_login || logged_in_ ? "CAP END\r\n"
            : options_.external        ? "AUTHENTICATE EXTERNAL\r\n"
                                       : "AUTHENTICATE PLAIN\r\n");
  } else if (verb == "NAK" && !signed_on_) {
    if (wants_login)
      return refused("the server refuses SASL");
    at_once("CAP END\r\n");
  } else if (verb == "DEL") {
    each(list, [&](std::string_view one) { std::erase(capabilities_, one); });
  }
}

void client::on_authenticate() {
  if (signed_on_ || logged_in_)
    return;
  const auto text = detail::to_base64(options_.external ? options_.account
                                                        : options_.account + '\0' + options_.account
                                                            + '\0' + options_.account_password);
  std::string out;
  constexpr std::size_t chunk =
    400; // IRCv3 sasl-3.1; one of exactly that has an empty one behind it
  for (std::size_t at = 0; at < text.size(); at += chunk)
    line{out, "", "AUTHENTICATE"}.param(std::string_view{text}.substr(at, chunk)).end();
  if (text.size() % chunk == 0)
    out += "AUTHENTICATE +\r\n";
  at_once(out);
}

void client::nick_taken() {
  if (++tries_ > nick_tries)
    return signed_on_ ? void() : refused("all nicks that were tried are taken");
  // "_" behind it, and where that is too long, a digit in the place of its end
  if (tried_.size() < features_.nick_length() || !signed_on_)
    tried_ += '_';
  else
    tried_.back() = static_cast<char>('0' + tries_);
  std::string out;
  line{out, "", "NICK"}.param(tried_).end();
  at_once(out);
}

void client::welcomed(const message& m) {
  nick_ = m.param(0).empty() ? tried_ : std::string{m.param(0)};
  tried_ = nick_;
  tries_ = 0;
  signed_on_ = true;
  for (const auto& channel : options_.channels) {
    const auto space = channel.find(' ');
    join(channel.substr(0, space),
         space == std::string::npos ? std::string{} : channel.substr(space + 1));
  }
  signed_on();
}

void client::end_names(std::string_view channel) {
  const auto found = names_.find(fold(channel, features_.names()));
  if (found == names_.end())
    return names(channel, {});
  const auto all = std::move(found->second);
  names_.erase(found);
  names(channel, all);
}

void client::on_numeric(unsigned number, const message& m) {
  constexpr std::size_t most = 20'000; // names of a channel, lines of a message of the day
  switch (number) {
  case 1:
    return welcomed(m);
  case 5:
    for (std::size_t i = 1; i + 1 < m.size(); ++i)
      (void)features_.take(m.param(i));
    return;
  case 331:
    return topic_updated({}, m.param(1), {});
  case 332:
    return topic_updated({}, m.param(1), m.param(2));
  case 353: {
    if (names_.size() >= 100)
      names_.clear();
    auto& all = names_[fold(m.param(2), features_.names())];
    for (auto rest = m.param(3); !rest.empty();) {
      const auto one = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      if (!one.empty() && all.size() < most)
        all.emplace_back(one);
    }
    return;
  }
  case 366:
    return end_names(m.param(1));
  case 372:
    if (motd_.size() < most)
      motd_.emplace_back(m.last().starts_with("- ") ? m.last().substr(2) : m.last());
    return;
  case 375:
    return motd_.clear();
  case 376:
  case 422: {
    const auto all = std::exchange(motd_, {});
    return motd(all);
  }
  case 432:
    if (signed_on_ || options_.default_nick.empty() || std::exchange(fell_back_, true))
      return signed_on_ ? void() : refused("the server does not like the nick");
    tried_ = options_.default_nick;
    return at_once("NICK " + tried_ + "\r\n");
  case 433:
  case 436:
    return nick_taken();
  case 437: // of a channel it is no matter
    return features_.is_channel(m.param(1)) ? void() : nick_taken();
  case 464:
    return refused("the server refuses the password");
  case 903:
    logged_in_ = true;
    return signed_on_ ? void() : at_once("CAP END\r\n");
  case 902:
  case 904:
  case 905:
  case 906:
    return signed_on_ ? void() : refused("the server refuses the login");
  default:
    return;
  }
}

} // namespace troupe::irc
