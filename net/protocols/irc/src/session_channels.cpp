#include <algorithm>
#include <charconv>

#include <troupe/irc/case_mapping.hpp>
#include <troupe/irc/formatting.hpp>
#include <troupe/irc/session.hpp>
#include <troupe/net/printable.hpp>

#include "cut_text.hpp"
#include "session_parts.hpp"

namespace troupe::irc {

namespace {

bool banned(const channel& c, const std::string& folded_prefix) {
  return std::ranges::any_of(c.bans, [&](const channel::ban& b) {
    return matches(fold(b.mask, case_mapping::ascii), folded_prefix);
  });
}

// Returns the tags that are for other clients: they alone go on.
std::string client_tags(const message& m) {
  std::string tags;
  for (auto rest = m.tags(); !rest.empty();) {
    const auto one = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one.starts_with('+') && is_printable(one))
      tags.append(tags.empty() ? "" : ";").append(one);
  }
  return tags;
}

} // namespace

// -- coming and going -----------------------------------------------------------------------------

void session::on_join(const message& m) {
  if (m.param(0) == "0") {
    while (!self_->places.empty())
      server_->leave(*self_, *self_->places.back().where, "");
    return;
  }
  auto keys = m.param(1);
  each_of(m.param(0), [&](std::string_view name) {
    const auto key = keys.substr(0, keys.find(','));
    keys.remove_prefix(std::min(keys.size(), key.size() + 1));
    join_one(name, key);
  });
}

void session::join_one(std::string_view name, std::string_view key) {
  if (!server_->is_channel_name(name))
    return reply(name.starts_with('#') ? 479 : 403, {name},
                 name.starts_with('#') ? "Illegal channel name" : "No such channel");
  auto* const c = server_->find_channel(name);
  if (c != nullptr && self_->place_in(*c) != nullptr)
    return;
  if (self_->places.size() >= server_->options().channels_per_user)
    return reply(405, {name}, "You have joined too many channels");
  if (c != nullptr && !self_->server_operator()) {
    const bool invited = std::ranges::count(c->invited, self_) != 0;
    if (c->invite_only && !invited)
      return reply(473, {c->name}, "Cannot join channel (+i)");
    if (!c->key.empty() && c->key != key && !invited)
      return reply(475, {c->name}, "Cannot join channel (+k)");
    if (c->limit != 0 && c->members.size() >= c->limit && !invited)
      return reply(471, {c->name}, "Cannot join channel (+l)");
    if (!invited && banned(*c, fold(self_->prefix(), case_mapping::ascii)))
      return reply(474, {c->name}, "Cannot join channel (+b)");
  }
  server_->enter(*self_, name);
  if (auto* const joined = server_->find_channel(name)) {
    if (!joined->topic.empty())
      send_topic(*joined);
    send_names(*joined);
  }
}

void session::on_part(const message& m) {
  const std::string reason{cut_text(clean_text(m.param(1)), server_->options().reason_length)};
  each_of(m.param(0), [&](std::string_view name) {
    auto* const c = server_->find_channel(name);
    if (c == nullptr)
      return no_such_channel(name);
    if (self_->place_in(*c) == nullptr)
      return reply(442, {c->name}, "You're not on that channel");
    server_->leave(*self_, *c, reason);
  });
}

void session::on_kick(const message& m) {
  auto* const c = server_->find_channel(m.param(0));
  if (c == nullptr)
    return no_such_channel(m.param(0));
  const auto* const mine = self_->place_in(*c);
  if (mine == nullptr)
    return reply(442, {c->name}, "You're not on that channel");
  if (mine->rank < rank_operator)
    return reply(482, {c->name}, "You're not channel operator");
  auto* const who = server_->find_user(m.param(1));
  if (who == nullptr)
    return no_such_nick(m.param(1));
  if (who->place_in(*c) == nullptr)
    return reply(441, {who->nick, c->name}, "They aren't on that channel");
  const auto given = clean_text(m.param(2));
  const std::string reason{given.empty() ? std::string_view{self_->nick}
                                         : cut_text(given, server_->options().reason_length)};
  if (who->connection == nullptr && !server_->kick_guest(*who, *c, reason))
    return reply(484, {who->nick, c->name}, "They can't be kicked");
  announcement kick{self_->prefix(), self_->account};
  kick.text().append("KICK ").append(c->name).append(" ").append(who->nick).append(" :").append(
    reason);
  server_->send_to(*c, kick);
  server_->left(*who, *c, reason);
  server_->remove(*who, *c);
}

void session::on_invite(const message& m) {
  auto* const who = server_->find_user(m.param(0));
  if (who == nullptr)
    return no_such_nick(m.param(0));
  auto* const c = server_->find_channel(m.param(1));
  if (c == nullptr)
    return no_such_channel(m.param(1));
  const auto* const mine = self_->place_in(*c);
  if (mine == nullptr)
    return reply(442, {c->name}, "You're not on that channel");
  if (c->invite_only && mine->rank < rank_operator)
    return reply(482, {c->name}, "You're not channel operator");
  if (who->place_in(*c) != nullptr)
    return reply(443, {who->nick, c->name}, "is already on channel");
  server::invite(*who, *c);
  reply(341, {who->nick, c->name});
  announcement invite{self_->prefix(), self_->account};
  invite.text().append("INVITE ").append(who->nick).append(" ").append(c->name);
  server_->send_to(*who, invite);
  for (auto* const u : c->members)
    if (const auto* const p = u->place_in(*c);
        u != self_ && p->rank >= rank_operator && u->connection != nullptr
        && (u->connection->capabilities() & cap_invite_notify) != 0)
      server_->send_to(*u, invite);
  if (!who->away.empty())
    reply(301, {who->nick}, who->away);
}

// -- topic, names, list ---------------------------------------------------------------------------

void session::on_topic(const message& m) {
  auto* const c = server_->find_channel(m.param(0));
  if (c == nullptr)
    return no_such_channel(m.param(0));
  const auto* const mine = self_->place_in(*c);
  if (mine == nullptr && (c->secret || m.size() > 1))
    return reply(442, {c->name}, "You're not on that channel");
  if (m.size() == 1) {
    if (c->topic.empty())
      return reply(331, {c->name}, "No topic is set");
    return send_topic(*c);
  }
  if (c->topic_protected && mine->rank < rank_operator)
    return reply(482, {c->name}, "You're not channel operator");
  server_->set_topic(*c, self_->prefix(), m.param(1));
}

void session::send_topic(channel& c) {
  reply(332, {c.name}, c.topic);
  reply(333, {c.name, c.topic_by, std::to_string(c.topic_at)});
}

std::string session::signs(std::uint8_t rank) const {
  switch (rank) {
  case rank_operator:
    return "@";
  case rank_operator | rank_voice:
    return (capabilities_ & cap_multi_prefix) != 0 ? "@+" : "@";
  case rank_voice:
    return "+";
  default:
    return "";
  }
}

void session::send_names(channel& c) {
  const bool hosts = (capabilities_ & cap_userhost_in_names) != 0;
  const bool inside = self_->place_in(c) != nullptr;
  const auto room = longest_line - 2
                    - std::min<std::size_t>(400, (":" + server_->options().name).size()
                                                   + nick().size() + c.name.size() + 12);
  std::string all, names;
  const auto flush = [&] {
    line{all, server_->options().name, "353"}
      .param(nick())
      .param(c.secret ? "@" : "=")
      .param(c.name)
      .trailing(names)
      .end();
    names.clear();
  };
  for (auto* const u : c.members) {
    if (u->invisible() && !inside)
      continue;
    const auto one = signs(u->place_in(c)->rank) + (hosts ? u->prefix() : u->nick);
    if (!names.empty() && names.size() + 1 + one.size() > room)
      flush();
    names.append(names.empty() ? "" : " ").append(one);
  }
  if (!names.empty())
    flush();
  line{all, server_->options().name, "366"}
    .param(nick())
    .param(c.name)
    .trailing("End of /NAMES list")
    .end();
  send_lines(all);
}

void session::on_names(const message& m) {
  if (m.size() == 0)
    return reply(366, {"*"}, "End of /NAMES list");
  std::size_t count = 0;
  each_of(m.param(0), [&](std::string_view name) {
    if (++count > 10)
      return;
    auto* const c = server_->find_channel(name);
    if (c == nullptr || (c->secret && self_->place_in(*c) == nullptr))
      return reply(366, {name}, "End of /NAMES list");
    send_names(*c);
  });
}

void session::on_list(const message& m) {
  constexpr std::size_t most = 2000;
  std::size_t least_users = 0, most_users = SIZE_MAX, listed = 0;
  bool named = false;
  const auto show = [&](channel& c) {
    if ((c.secret && self_->place_in(c) == nullptr) || c.members.size() <= least_users
        || c.members.size() >= most_users || ++listed > most)
      return;
    reply(322, {c.name, std::to_string(c.members.size())}, c.topic);
  };
  reply(321, {"Channel"}, "Users  Name");
  least_users = 0;
  each_of(m.param(0), [&](std::string_view part) {
    if (part.front() == '<' || part.front() == '>') {
      std::size_t n = 0;
      std::from_chars(part.data() + 1, part.data() + part.size(), n);
      (part.front() == '<' ? most_users : least_users) = n;
      return;
    }
    named = true;
    if (auto* const c = server_->find_channel(part))
      show(*c);
  });
  if (!named)
    for (const auto& c : server_->channels_)
      show(*c.second);
  reply(323, {}, "End of /LIST");
}

// -- talk -----------------------------------------------------------------------------------------

bool session::may_talk(channel& c) {
  const auto* const mine = self_->place_in(c);
  if (mine == nullptr)
    return !c.members_only && !c.moderated
           && !banned(c, fold(self_->prefix(), case_mapping::ascii));
  return mine->rank > rank_none
         || (!c.moderated && !banned(c, fold(self_->prefix(), case_mapping::ascii)));
}

void session::talk(const message& m, bool notice) {
  if (m.param(0).empty())
    return notice ? void() : reply(411, {}, "No recipient given (PRIVMSG)");
  if (m.param(1).empty())
    return notice ? void() : reply(412, {}, "No text to send");
  self_->last_said = loop().time();
  const auto tags = (capabilities_ & cap_message_tags) != 0 ? client_tags(m) : std::string{};
  std::size_t count = 0;
  each_of(m.param(0), [&](std::string_view target) {
    if (++count <= server_->options().targets)
      talk_to(target, m.param(1), notice, tags);
    else if (count == server_->options().targets + 1 && !notice)
      reply(407, {target}, "Too many recipients");
  });
}

void session::talk_to(std::string_view target, std::string_view text, bool notice,
                      std::string_view tags) {
  if (target.starts_with('#')) {
    auto* const c = server_->find_channel(target);
    if (c == nullptr)
      return notice ? void() : no_such_channel(target);
    if (!may_talk(*c))
      return notice ? void() : reply(404, {c->name}, "Cannot send to channel");
    return server_->say(*self_, *c, text, notice, tags);
  }
  auto* const who = server_->find_user(target);
  if (who == nullptr)
    return notice ? void() : no_such_nick(target);
  server_->tell(*self_, *who, text, notice, tags);
  if (!notice && !who->away.empty())
    reply(301, {who->nick}, who->away);
}

void session::on_privmsg(const message& m) {
  talk(m, false);
}

void session::on_notice(const message& m) {
  talk(m, true);
}

// A message of tags alone, such as "is typing": for who has message-tags.
void session::on_tagmsg(const message& m) {
  if ((capabilities_ & cap_message_tags) == 0)
    return reply(421, {"TAGMSG"}, "Unknown command");
  const auto tags = client_tags(m);
  if (tags.empty())
    return;
  announcement what{self_->prefix(), self_->account, tags};
  const auto* const oneself = (capabilities_ & cap_echo_message) != 0 ? nullptr : self_;
  if (auto* const c = server_->find_channel(m.param(0))) {
    if (!may_talk(*c))
      return reply(404, {c->name}, "Cannot send to channel");
    what.text().append("TAGMSG ").append(c->name);
    server_->send_to(*c, what, oneself, cap_message_tags);
  } else if (auto* const who = server_->find_user(m.param(0))) {
    what.text().append("TAGMSG ").append(who->nick);
    if (who->connection != nullptr && (who->connection->capabilities() & cap_message_tags) != 0)
      server_->send_to(*who, what);
  } else {
    no_such_nick(m.param(0));
  }
}

void session::on_away(const message& m) {
  const auto text = clean_text(m.param(0));
  const auto before =
    std::exchange(self_->away, std::string{cut_text(text, server_->options().away_length)});
  if (self_->away.empty())
    reply(305, {}, "You are no longer marked as being away");
  else
    reply(306, {}, "You have been marked as being away");
  if (before != self_->away)
    server_->tell_away(*self_);
}

} // namespace troupe::irc
