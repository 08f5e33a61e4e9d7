#include <algorithm>
#include <charconv>
#include <chrono>

#include <troupe/irc/session.hpp>
#include <troupe/net/printable.hpp>

#include "session_parts.hpp"

namespace troupe::irc {

namespace {

/// Returns a mask as it is kept: `nick!user@host`, with `*` for what is missing.
std::string whole_mask(std::string_view mask) {
  const auto mark = mask.find('!');
  const auto at = mask.find('@');
  if (mark != std::string_view::npos && at != std::string_view::npos)
    return std::string{mask};
  if (at != std::string_view::npos)
    return "*!" + std::string{mask};
  if (mark != std::string_view::npos)
    return std::string{mask} + "@*";
  return std::string{mask} + "!*@*";
}

/// What was really changed, as it is told: "+o-v ann bob".
class changes {
public:
  void add(bool on, char mode, std::string_view parameter = {}) {
    if (sign_ != (on ? '+' : '-'))
      modes_ += sign_ = on ? '+' : '-';
    modes_ += mode;
    if (!parameter.empty())
      parameters_.append(" ").append(parameter);
  }
  [[nodiscard]] bool empty() const noexcept { return modes_.empty(); }
  [[nodiscard]] std::string text() const { return modes_ + parameters_; }

private:
  std::string modes_, parameters_;
  char sign_ = 0;
};

bool* flag_of(channel& c, char mode) noexcept {
  switch (mode) {
  case 'i':
    return &c.invite_only;
  case 'm':
    return &c.moderated;
  case 'n':
    return &c.members_only;
  case 's':
    return &c.secret;
  case 't':
    return &c.topic_protected;
  default:
    return nullptr;
  }
}

} // namespace

void session::on_mode(const message& m) {
  if (!m.param(0).starts_with('#'))
    return user_mode(m);
  auto* const c = server_->find_channel(m.param(0));
  if (c == nullptr)
    return no_such_channel(m.param(0));
  if (m.size() > 1)
    return channel_mode(*c, m);
  std::string modes = "+", parameters;
  for (const char mode : {'i', 'm', 'n', 's', 't'})
    if (*flag_of(*c, mode))
      modes += mode;
  const bool inside = self_->place_in(*c) != nullptr;
  if (!c->key.empty()) {
    modes += 'k';
    parameters += ' ' + (inside ? c->key : "*");
  }
  if (c->limit != 0) {
    modes += 'l';
    parameters += ' ' + std::to_string(c->limit);
  }
  std::string out;
  line{out, server_->options().name, "324"}.param(nick()).param(c->name);
  out.append(" ").append(modes).append(parameters).append("\r\n");
  send_lines(out);
  reply(329, {c->name, std::to_string(c->since)});
}

void session::user_mode(const message& m) {
  auto* const who = server_->find_user(m.param(0));
  if (who == nullptr)
    return no_such_nick(m.param(0));
  if (who != self_)
    return reply(502, {}, "Cant change mode for other users");
  if (m.size() == 1)
    return reply(221, {std::string{"+"} + (self_->invisible() ? "i" : "")
                       + (self_->server_operator() ? "o" : "")});
  changes made;
  bool on = true, unknown = false;
  for (const char mode : m.param(1))
    switch (mode) {
    case '+':
    case '-':
      on = mode == '+';
      break;
    case 'i':
      if (server_->set_invisible(*self_, on))
        made.add(on, 'i');
      break;
    case 'o': // given by OPER alone
      if (!on && server_->set_server_operator(*self_, false))
        made.add(false, 'o');
      break;
    default:
      unknown = true;
    }
  if (unknown)
    reply(501, {}, "Unknown MODE flag");
  if (made.empty())
    return;
  std::string out;
  line{out, self_->prefix(), "MODE"}.param(self_->nick).trailing(made.text()).end();
  send_lines(out);
}

void session::send_bans(channel& c) {
  for (const auto& b : c.bans)
    reply(367, {c.name, b.mask, b.by, std::to_string(b.at)});
  reply(368, {c.name}, "End of channel ban list");
}

void session::channel_mode(channel& c, const message& m) {
  const auto* const mine = self_->place_in(c);
  const bool allowed = (mine != nullptr && mine->rank >= rank_operator) || self_->server_operator();
  const auto text = m.param(1);
  if ((text == "b" || text == "+b") && m.size() == 2)
    return mine == nullptr && c.secret ? reply(442, {c.name}, "You're not on that channel")
                                       : send_bans(c);
  if (!allowed)
    return reply(482, {c.name}, "You're not channel operator");
  changes made;
  std::size_t next = 2, with_parameter = 0;
  bool on = true;
  std::string unknown; // told once for each
  const auto most = server_->options().modes_per_command;
  const auto parameter = [&]() -> std::string_view {
    return next < m.size() && ++with_parameter <= most ? m.param(next++) : std::string_view{};
  };
  for (const char mode : text) {
    if (mode == '+' || mode == '-') {
      on = mode == '+';
      continue;
    }
    if (auto* const flag = flag_of(c, mode)) {
      if (std::exchange(*flag, on) != on)
        made.add(on, mode);
      continue;
    }
    switch (mode) {
    case 'o':
    case 'v': {
      const auto whom = parameter();
      if (whom.empty())
        break;
      auto* const who = server_->find_user(whom);
      if (who == nullptr) {
        no_such_nick(whom);
        break;
      }
      auto* const place = who->place_in(c);
      if (place == nullptr) {
        reply(441, {who->nick, c.name}, "They aren't on that channel");
        break;
      }
      const auto bit = mode == 'o' ? rank_operator : rank_voice;
      const auto rank = static_cast<std::uint8_t>(on ? place->rank | bit : place->rank & ~bit);
      if (std::exchange(place->rank, rank) != rank)
        made.add(on, mode, who->nick);
      break;
    }
    case 'b': {
      const auto given = parameter();
      if (given.empty()) {
        send_bans(c);
        break;
      }
      if (given.size() > 150 || !is_printable(given) || given.front() == ':'
          || given.find(' ') != std::string_view::npos)
        break;
      const auto mask = whole_mask(given);
      const auto found = std::ranges::find_if(c.bans, [&](const channel::ban& b) {
        return server_->fold(b.mask) == server_->fold(mask);
      });
      if (on && found == c.bans.end()) {
        if (c.bans.size() >= server_->options().bans_per_channel) {
          reply(478, {c.name, mask}, "Channel ban list is full");
          break;
        }
        const auto now = std::chrono::system_clock::now();
        c.bans.push_back({mask, self_->nick, std::chrono::system_clock::to_time_t(now)});
        made.add(true, 'b', mask);
      } else if (!on && found != c.bans.end()) {
        made.add(false, 'b', found->mask);
        c.bans.erase(found);
      }
      break;
    }
    case 'k': {
      const auto key = parameter();
      if (!on) {
        if (!c.key.empty())
          made.add(false, 'k', std::exchange(c.key, {}));
      } else if (!key.empty() && key.size() <= 32 && is_printable(key) && key.front() != ':'
                 && key.find_first_of(" ,") == std::string_view::npos && c.key != key) {
        c.key = key;
        made.add(true, 'k', key);
      }
      break;
    }
    case 'l': {
      if (!on) {
        if (std::exchange(c.limit, 0) != 0)
          made.add(false, 'l');
        break;
      }
      const auto number = parameter();
      std::size_t limit = 0;
      std::from_chars(number.data(), number.data() + number.size(), limit);
      if (limit != 0 && std::exchange(c.limit, limit) != limit)
        made.add(true, 'l', std::to_string(limit));
      break;
    }
    default:
      if (unknown.find(mode) == std::string::npos) {
        unknown += mode;
        reply(472, {std::string_view{&mode, 1}}, "is unknown mode char to me");
      }
    }
  }
  if (made.empty())
    return;
  announcement change{self_->prefix(), self_->account};
  change.text().append("MODE ").append(c.name).append(" ").append(made.text());
  server_->send_to(c, change);
}

} // namespace troupe::irc
