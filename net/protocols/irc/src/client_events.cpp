#include <troupe/irc/client.hpp>

#include <algorithm>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/net/printable.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "cut_text.hpp"

namespace troupe::irc {

void client::forget_channel(std::string_view name) {
  std::erase_if(channels_, [&](const auto& c) { return same_name(c, name, features_.names()); });
  names_.erase(fold(name, features_.names()));
  if (options_.remember)
    std::erase_if(options_.remember->keys,
                  [&](const auto& k) { return same_name(k.first, name, features_.names()); });
}

// Once it is joined: what was refused is not asked for again.
void client::remember_channel(std::string_view name) {
  if (!options_.remember)
    return;
  const auto key = keys_.extract(fold(name, features_.names()));
  options_.remember->keys[std::string{name}] = key ? key.mapped() : std::string{};
}

void client::dispatch(const message& m) {
  if (const auto number = m.numeric(); number != 0) {
    on_numeric(number, m);
    if (connected())
      take_lookup(number, m);
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
    remember_channel(channel);
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

// Tells whether somebody may be answered by ourselves now, and counts it: never more often than once a second.
bool client::may_answer(const origin& to) {
  const auto now = loop().time();
  if ((answered_ != time_point{} && now - answered_ < std::chrono::seconds{1}) || to.nick.empty()
      || to.nick.front() == ':')
    return false;
  answered_ = now;
  return true;
}

void client::on_dcc(const origin& from, std::string_view data) {
  const auto parsed = parse_dcc(data);
  if (parsed.request)
    return dcc_requested(from, *parsed.request);
  if (parsed.problem.empty())
    return;
  loop().scheduler().logger().info("[{}] {} from {}: {}", log_name(), parsed.problem,
                                   printable(from.nick), quoted_text(data, 100));
  if (may_answer(from))
    ctcp(from.nick, {"ERRMSG", "DCC " + std::string{cut_text(data, 100)} + " :" + parsed.problem},
         true);
}

void client::ctcp_query(const origin& from, std::string_view to, const ctcp_request& request) {
  if (request.tag == "DCC") {
    if (is_me(to))
      on_dcc(from, request.data.value_or(""));
    return;
  }
  ctcp_request reply{request.tag, {}};
  if (request.tag == "VERSION" && !options_.version.empty())
    reply.data = options_.version;
  else if (request.tag == "PING" && request.data)
    reply.data = request.data->substr(0, 64);
  else
    return;
  if (may_answer(from))
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
