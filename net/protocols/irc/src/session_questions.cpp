#include <algorithm>
#include <chrono>
#include <ctime>

#include <troupe/irc/case_mapping.hpp>
#include <troupe/irc/session.hpp>

#include "session_parts.hpp"

namespace troupe::irc {

// -- WHO ------------------------------------------------------------------------------------------

void session::send_who(user& who, const channel* in, std::string_view fields,
                       std::string_view token) {
  const auto& server_name = server_->options().name;
  const auto* const place = in != nullptr ? who.place_in(*in) : nullptr;
  const std::string flags = std::string{who.away.empty() ? "H" : "G"}
                            + (who.server_operator() ? "*" : "")
                            + (place != nullptr ? signs(place->rank) : "");
  const std::string_view where = in != nullptr ? std::string_view{in->name} : "*";
  if (fields.empty())
    return reply(352, {where, who.name, who.host, server_name, who.nick, flags},
                 "0 " + who.realname);
  const auto idle = std::chrono::duration_cast<std::chrono::seconds>(loop().time() - who.last_said);
  std::string out;
  line to{out, server_name, "354"};
  to.param(nick());
  const auto has = [fields](char c) {
    return fields.find(c) != std::string_view::npos;
  };
  if (has('t'))
    to.param(token);
  if (has('c'))
    to.param(where);
  if (has('u'))
    to.param(who.name);
  if (has('i'))
    to.param("255.255.255.255");
  if (has('h'))
    to.param(who.host);
  if (has('s'))
    to.param(server_name);
  if (has('n'))
    to.param(who.nick);
  if (has('f'))
    to.param(flags);
  if (has('d'))
    to.param("0");
  if (has('l'))
    to.param(who.connection != nullptr ? std::to_string(idle.count()) : "0");
  if (has('a'))
    to.param(who.account.empty() ? "0" : who.account);
  if (has('o'))
    to.param("n/a");
  if (has('r'))
    to.trailing(who.realname);
  to.end();
  send_lines(out);
}

void session::on_who(const message& m) {
  constexpr std::size_t most = 500;
  const auto mask = m.param(0);
  auto fields = m.param(1);
  std::string_view token = "0";
  bool operators = fields == "o";
  if (const auto percent = fields.find('%'); percent != std::string_view::npos) {
    operators = fields.substr(0, percent).find('o') != std::string_view::npos;
    fields.remove_prefix(percent + 1);
    if (const auto comma = fields.find(','); comma != std::string_view::npos) {
      const auto given = fields.substr(comma + 1);
      if (!given.empty() && given.size() <= 3
          && given.find_first_not_of("0123456789") == std::string_view::npos)
        token = given;
      fields = fields.substr(0, comma);
    }
  } else {
    fields = {};
  }
  const auto wanted = [operators](const user& u) {
    return !operators || u.server_operator();
  };
  if (mask.starts_with('#')) {
    auto* const c = server_->find_channel(mask);
    if (c != nullptr) {
      const bool inside = self_->place_in(*c) != nullptr;
      if (inside || !c->secret)
        for (auto* const u : c->members)
          if ((inside || !u->invisible()) && wanted(*u))
            send_who(*u, c, fields, token);
    }
  } else if (auto* const who = server_->find_user(mask)) {
    if (wanted(*who))
      send_who(*who, nullptr, fields, token);
  } else {
    const auto pattern = fold(mask.empty() || mask == "0" ? "*" : mask, case_mapping::ascii);
    std::size_t count = 0;
    for (const auto& u : server_->users_) {
      auto& one = *u.second;
      if ((one.invisible() && &one != self_) || !wanted(one))
        continue;
      if (!matches(pattern, fold(one.nick, case_mapping::ascii))
          && !matches(pattern, fold(one.host, case_mapping::ascii))
          && !matches(pattern, fold(one.realname, case_mapping::ascii)))
        continue;
      if (++count > most)
        break;
      send_who(one, nullptr, fields, token);
    }
  }
  reply(315, {mask.empty() ? "*" : mask}, "End of WHO list");
}

// -- WHOIS ----------------------------------------------------------------------------------------

void session::on_whois(const message& m) {
  const auto wanted = m.size() > 1 ? m.param(1) : m.param(0); // the first may be a server
  const auto first = wanted.substr(0, wanted.find(','));
  auto* const who = server_->find_user(first);
  if (who == nullptr) {
    no_such_nick(first);
    return reply(318, {first}, "End of /WHOIS list");
  }
  reply(311, {who->nick, who->name, who->host, "*"}, who->realname);
  std::string places;
  for (const auto& p : who->places) {
    const bool shown = (!p.where->secret && !who->invisible()) || who == self_
                       || self_->place_in(*p.where) != nullptr;
    if (!shown)
      continue;
    const auto one = signs(p.rank) + p.where->name;
    if (places.size() + one.size() > 350)
      reply(319, {who->nick}, std::exchange(places, {}));
    places.append(places.empty() ? "" : " ").append(one);
  }
  if (!places.empty())
    reply(319, {who->nick}, places);
  reply(312, {who->nick, server_->options().name},
        who->connection != nullptr ? server_->options().network : "connected elsewhere");
  if (who->server_operator())
    reply(313, {who->nick}, "is an IRC operator");
  if (!who->account.empty())
    reply(330, {who->nick, who->account}, "is logged in as");
  if (who == self_)
    reply(378, {who->nick}, "is connecting from " + (host_.empty() ? "a local socket" : host_));
  if (who->connection != nullptr) {
    const auto idle =
      std::chrono::duration_cast<std::chrono::seconds>(loop().time() - who->last_said);
    reply(317,
          {who->nick, std::to_string(idle.count()),
           std::to_string(std::chrono::system_clock::to_time_t(who->since))},
          "seconds idle, signon time");
    if (who->connection->transport().tls() != nullptr)
      reply(671, {who->nick}, "is using a secure connection");
  }
  if (!who->away.empty())
    reply(301, {who->nick}, who->away);
  reply(318, {who->nick}, "End of /WHOIS list");
}

// Nobody is remembered.
void session::on_whowas(const message& m) {
  reply(406, {m.param(0)}, "There was no such nickname");
  reply(369, {m.param(0)}, "End of WHOWAS");
}

void session::on_ison(const message& m) {
  std::string found;
  const auto look = [&](std::string_view nicks) {
    while (!nicks.empty()) {
      const auto one = nicks.substr(0, nicks.find(' '));
      nicks.remove_prefix(std::min(nicks.size(), one.size() + 1));
      if (const auto* const who = server_->find_user(one))
        found.append(found.empty() ? "" : " ").append(who->nick);
    }
  };
  for (const auto p : m.params())
    look(p);
  reply(303, {}, found);
}

void session::on_userhost(const message& m) {
  std::string found;
  std::size_t count = 0;
  for (const auto p : m.params())
    if (const auto* const who = server_->find_user(p); who != nullptr && ++count <= 5)
      found.append(found.empty() ? "" : " ")
        .append(who->nick)
        .append(who->server_operator() ? "*" : "")
        .append(who->away.empty() ? "=+" : "=-")
        .append(who->name)
        .append("@")
        .append(who->host);
  reply(302, {}, found);
}

// -- about the server -----------------------------------------------------------------------------

void session::on_lusers(const message&) {
  send_lusers();
}

void session::on_motd(const message&) {
  send_motd();
}

void session::on_version(const message&) {
  reply(351, {"troupe", server_->options().name}, "");
  send_features();
}

void session::on_time(const message&) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", ::gmtime_r(&now, &parts));
  reply(391, {server_->options().name}, text);
}

void session::on_info(const message&) {
  reply(371, {}, "A server made with Troupe.");
  reply(374, {}, "End of INFO list");
}

void session::on_admin(const message&) {
  reply(423, {server_->options().name}, "No administrative info available");
}

} // namespace troupe::irc
