#include <troupe/irc/server.hpp>

#include <algorithm>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <utility>

#include <troupe/irc/case_mapping.hpp>
#include <troupe/irc/formatting.hpp>
#include <troupe/irc/message.hpp>
#include <troupe/irc/session.hpp>
#include <troupe/irc/split_text.hpp>
#include <troupe/net/printable.hpp>

#include "cut_text.hpp"

namespace troupe::irc {

namespace {

std::int64_t unix_time() {
  return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || std::string_view{"[]\\`_^{|}"}.find(c) != std::string_view::npos;
}

} // namespace

server::server(server_options options)
  : options_(std::move(options)), since_(std::chrono::system_clock::now()) {
  std::random_device random;
  secret_ = (std::uint64_t{random()} << 32) | random();
  for (const auto* text : {&options_.name, &options_.network})
    if (text->empty() || text->front() == ':' || !is_printable(*text)
        || text->find(' ') != std::string::npos)
      throw std::invalid_argument("irc::server: a name with a space, or none");
}

server::~server() = default;

factory_ref server::make_factory() {
  return factory::for_protocol<session>(shared_from_this());
}

user* server::find_user(std::string_view nick) {
  const auto found = users_.find(fold(nick));
  return found == users_.end() ? nullptr : found->second.get();
}

channel* server::find_channel(std::string_view name) {
  const auto found = channels_.find(fold(name));
  return found == channels_.end() ? nullptr : found->second.get();
}

std::string server::fold(std::string_view name) const {
  return irc::fold(name, case_mapping::ascii);
}

bool server::is_nick(std::string_view text) const {
  if (text.empty() || text.size() > options_.nick_length)
    return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool beyond = (c & 0x80) != 0 && options_.utf8_names;
    if (!is_letter(c) && !beyond && (i == 0 || !((c >= '0' && c <= '9') || c == '-')))
      return false;
  }
  return is_printable(text);
}

bool server::is_channel_name(std::string_view text) const {
  if (text.size() < 2 || text.size() > options_.channel_length || text.front() != '#'
      || text.find_first_of(" ,") != std::string_view::npos || !is_printable(text))
    return false;
  return options_.utf8_names || std::ranges::none_of(text, [](char c) { return (c & 0x80) != 0; });
}

void server::nick_wanted(session& who, const std::string&) {
  who.answer_nick(true);
}

void server::history_wanted(session& who, channel&, const history_question&) {
  who.refuse_history("There is no history");
}

void server::history_targets_wanted(session& who, const history_targets_question&) {
  who.refuse_history("It is not known where something was said");
}

// -- who comes and goes ----------------------------------------------------------------------------

bool server::lives_on(const event_loop& loop) noexcept {
  const event_loop* none = nullptr;
  return loop_.compare_exchange_strong(none, &loop) || none == &loop;
}

server::admission server::admit(const std::string& host, time_point now) {
  if (unregistered_ >= options_.most_unregistered)
    return admission::full;
  auto& a = addresses_[host];
  if (now - a.since >= std::chrono::minutes{1}) {
    a.since = now;
    a.recent = 0;
  }
  const bool gateway =
    std::ranges::any_of(options_.gateways, [&](const web_gateway& g) { return g.address == host; });
  if (a.open >= options_.per_address && !gateway)
    return admission::too_many;
  if (!gateway && a.recent >= options_.connects_per_minute)
    return admission::too_fast;
  ++a.open;
  ++a.recent;
  return admission::granted;
}

void server::release(const std::string& host, time_point now) {
  if (const auto found = addresses_.find(host); found != addresses_.end())
    --found->second.open;
  if (now - looked_through_ < std::chrono::minutes{1}
      || addresses_.size() <= 2 * users_.size() + 1000)
    return;
  looked_through_ = now; // those who come no more are forgotten
  std::erase_if(addresses_, [now](const auto& a) {
    return a.second.open == 0 && now - a.second.since >= std::chrono::minutes{1};
  });
}

std::string server::cloak(const std::string& host) const {
  if (!options_.cloak_hosts) {
    if (host.empty())
      return "localhost";
    return host.front() == ':' ? '0' + host : host;
  }
  auto hash = secret_;
  for (const char c : host) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
    hash ^= hash >> 29;
  }
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(hash ^ (hash >> 32)));
  return std::string{digits} + ".cloak";
}

user& server::add(user&& who) {
  auto key = fold(who.nick);
  auto& added =
    *users_.insert_or_assign(std::move(key), std::make_unique<user>(std::move(who))).first->second;
  most_users_ = std::max(most_users_, users_.size());
  return added;
}

bool server::set_invisible(user& who, bool on) noexcept {
  if (std::exchange(who.invisible_, on) == on)
    return false;
  on ? ++invisible_ : --invisible_;
  return true;
}

bool server::set_server_operator(user& who, bool on) noexcept {
  if (std::exchange(who.server_operator_, on) == on)
    return false;
  on ? ++operators_ : --operators_;
  return true;
}

user* server::add_guest(std::string nick, std::string name, std::string host,
                        std::string realname) {
  if (!is_nick(nick) || find_user(nick) != nullptr)
    return nullptr;
  user guest;
  guest.nick = std::move(nick);
  guest.name = std::move(name);
  guest.host = std::move(host);
  guest.realname = std::move(realname);
  guest.since = std::chrono::system_clock::now();
  return &add(std::move(guest));
}

// -- telling --------------------------------------------------------------------------------------

void server::send_to(user& who, announcement& what) {
  if (who.connection != nullptr)
    who.connection->send_lines(what.form(who.connection->capabilities()));
}

void server::send_to(channel& where, announcement& what, const user* left_out,
                     std::uint32_t only_with) {
  for (auto* const u : where.members)
    if (u != left_out && u->connection != nullptr
        && (u->connection->capabilities() & only_with) == only_with)
      u->connection->send_lines(what.form(u->connection->capabilities()));
}

void server::send_to_friends(user& who, announcement& what, bool oneself, std::uint32_t only_with) {
  who.mark = ++mark_;
  for (const auto& p : who.places)
    for (auto* const u : p.where->members)
      if (std::exchange(u->mark, mark_) != mark_ && u->connection != nullptr
          && (u->connection->capabilities() & only_with) == only_with)
        send_to(*u, what);
  if (oneself)
    send_to(who, what);
}

// -- channels -------------------------------------------------------------------------------------

void server::enter(user& who, std::string_view channel_name) {
  auto& made = channels_[fold(channel_name)];
  const bool first = !made;
  if (first) {
    made = std::make_unique<channel>();
    made->name = channel_name;
    made->since = unix_time();
  }
  auto& c = *made;
  if (who.place_in(c) != nullptr)
    return;
  const bool rules = first && who.connection != nullptr;
  who.places.push_back({&c, rules ? rank_operator : rank_none});
  c.members.push_back(&who);
  uninvite(who, c);
  announcement plain{who.prefix(), who.account}, extended{who.prefix(), who.account};
  plain.text().append("JOIN ").append(c.name);
  extended.text().append(plain.text()).append(" ").append(who.account.empty() ? "*" : who.account);
  extended.text().append(" :").append(who.realname);
  for (auto* const u : c.members)
    if (u->connection != nullptr)
      send_to(*u, (u->connection->capabilities() & cap_extended_join) != 0 ? extended : plain);
  if (!who.away.empty()) {
    announcement away{who.prefix(), who.account};
    away.text().append("AWAY :").append(who.away);
    send_to(c, away, &who, cap_away_notify);
  }
  entered(who, c, first);
}

void server::remove(user& who, channel& where) {
  std::erase(where.members, &who);
  std::erase_if(who.places, [&](const user::place& p) { return p.where == &where; });
  if (!where.members.empty())
    return;
  while (!where.invited.empty())
    uninvite(*where.invited.back(), where);
  channels_.erase(fold(where.name));
}

void server::invite(user& who, channel& to) {
  constexpr std::size_t most = 100; // the oldest goes
  if (std::ranges::count(to.invited, &who) != 0)
    return;
  if (to.invited.size() >= most)
    uninvite(*to.invited.front(), to);
  to.invited.push_back(&who);
  who.invitations.push_back(&to);
}

void server::uninvite(user& who, channel& to) {
  std::erase(to.invited, &who);
  std::erase(who.invitations, &to);
}

void server::leave(user& who, channel& where, std::string_view reason) {
  if (who.place_in(where) == nullptr)
    return;
  announcement part{who.prefix(), who.account};
  part.text().append("PART ").append(where.name);
  if (!reason.empty())
    part.text().append(" :").append(reason);
  send_to(where, part);
  left(who, where, reason);
  remove(who, where);
}

void server::end(user& who, std::string_view reason) {
  if (who.connection != nullptr)
    goes(*who.connection, reason);
  announcement quit{who.prefix(), who.account};
  quit.text().append("QUIT :").append(reason);
  send_to_friends(who, quit, false);
  while (!who.places.empty()) {
    auto& c = *who.places.back().where;
    left(who, c, reason);
    remove(who, c);
  }
  while (!who.invitations.empty())
    uninvite(who, *who.invitations.back());
  if (who.connection != nullptr) {
    who.connection->self_ = nullptr;
    --clients_;
  }
  set_invisible(who, false);
  set_server_operator(who, false);
  users_.erase(fold(who.nick));
}

void server::rename(user& who, const std::string& nick) {
  announcement change{who.prefix(), who.account};
  change.text().append("NICK :").append(nick);
  send_to_friends(who, change, true);
  const auto former = who.nick;
  auto from = fold(former);
  auto to = fold(nick);
  if (from != to) {
    auto node = users_.extract(from);
    node.key() = to;
    users_.insert(std::move(node));
  }
  who.nick = nick;
  renamed(who, former);
}

void server::set_topic(channel& where, std::string_view by, std::string_view text) {
  where.topic = cut_text(clean_text(text), options_.topic_length);
  where.topic_by = by;
  where.topic_at = unix_time();
  announcement topic{by, {}};
  topic.text().append("TOPIC ").append(where.name).append(" :").append(where.topic);
  send_to(where, topic);
  topic_set(where, by);
}

void server::tell_away(user& who) {
  announcement away{who.prefix(), who.account};
  away.text() += "AWAY";
  if (!who.away.empty())
    away.text().append(" :").append(who.away);
  send_to_friends(who, away, false, cap_away_notify);
}

void server::tell_account(user& who) {
  announcement account{who.prefix(), who.account};
  account.text().append("ACCOUNT ").append(who.account.empty() ? "*" : who.account);
  send_to_friends(who, account, true, cap_account_notify);
}

// -- talk -----------------------------------------------------------------------------------------

namespace {

// Calls `fn(line)` with each line of `text`, fit for readers; empty ones are left out.
template <class F>
void each_line(std::string_view text, F fn) {
  while (!text.empty()) {
    const auto one = text.substr(0, text.find_first_of("\r\n"));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    if (const auto clean = clean_text(one); !clean.empty())
      fn(clean);
  }
}

// Calls `piece(text)` with what fits in a line: CTCP's marks stand around each.
template <class F>
void each_piece(const user& from, std::string_view target, std::string_view text, bool notice,
                F piece) {
  const auto room = text_room(from.prefix(), notice ? "NOTICE" : "PRIVMSG", target);
  if (text.size() <= room)
    return piece(text);
  constexpr std::string_view action = "\x01"
                                      "ACTION ";
  if (!text.starts_with(action)) {
    for (const auto one : split_text(text, room))
      piece(one);
    return;
  }
  text.remove_prefix(action.size());
  if (text.ends_with('\x01'))
    text.remove_suffix(1);
  const auto left = room - std::min(room - 4, action.size() + 1);
  for (const auto one : split_text(text, left))
    piece(std::string{action}.append(one).append("\x01"));
}

announcement said_by(const user& from, std::string_view to, std::string_view text, bool notice,
                     std::string_view tags) {
  announcement line{from.prefix(), from.account, tags};
  line.text().append(notice ? "NOTICE " : "PRIVMSG ").append(to).append(" :").append(text);
  return line;
}

bool wants_echo(const user& from) {
  return from.connection != nullptr && (from.connection->capabilities() & cap_echo_message) != 0;
}

} // namespace

void server::say(user& from, channel& to, std::string_view text, bool notice,
                 std::string_view tags) {
  each_line(text, [&](const std::string& clean) {
    each_piece(from, to.name, clean, notice, [&](std::string_view piece) {
      auto line = said_by(from, to.name, piece, notice, tags);
      send_to(to, line, wants_echo(from) ? nullptr : &from);
    });
    if (from.connection != nullptr)
      said(from, to, clean, notice);
  });
}

void server::tell(user& from, user& to, std::string_view text, bool notice, std::string_view tags) {
  each_line(text, [&](const std::string& clean) {
    each_piece(from, to.nick, clean, notice, [&](std::string_view piece) {
      auto line = said_by(from, to.nick, piece, notice, tags);
      send_to(to, line);
      if (wants_echo(from) && &from != &to)
        send_to(from, line);
    });
    if (to.connection == nullptr)
      told(from, to, clean, notice);
  });
}

} // namespace troupe::irc
