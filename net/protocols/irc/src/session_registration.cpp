#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <spdlog/logger.h>

#include <troupe/irc/formatting.hpp>
#include <troupe/irc/session.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/tls_info.hpp>
#include <troupe/runtime/detail/base64.hpp>

#include "cut_text.hpp"
#include "session_parts.hpp"

namespace troupe::irc {

namespace {

struct named_capability {
  std::string_view name;
  std::uint32_t bit;
};

constexpr named_capability all_capabilities[] = {
  {"account-notify", cap_account_notify},
  {"account-tag", cap_account_tag},
  {"away-notify", cap_away_notify},
  {"batch", cap_batch},
  {"cap-notify", cap_cap_notify},
  {"draft/chathistory", cap_chathistory},
  {"echo-message", cap_echo_message},
  {"extended-join", cap_extended_join},
  {"invite-notify", cap_invite_notify},
  {"labeled-response", cap_labeled_response},
  {"message-tags", cap_message_tags},
  {"multi-prefix", cap_multi_prefix},
  {"sasl", cap_sasl},
  {"server-time", cap_server_time},
  {"userhost-in-names", cap_userhost_in_names},
};

// So that neither the time that it takes nor its end tells how much of it is right.
bool same_secret(std::string_view a, std::string_view b) noexcept {
  unsigned different = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i)
    different |= static_cast<unsigned char>(a[i]) ^ (i < b.size() ? b[i] : 0u);
  return different == 0;
}

// An account is a parameter, and a tag, of what others are sent.
bool is_account(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != ':'
         && text.find(' ') == std::string_view::npos && is_printable(text);
}

} // namespace

// -- capabilities ---------------------------------------------------------------------------------

std::string session::cap_list(bool with_values) const {
  const auto& o = server_->options();
  std::string list;
  for (const auto& c : all_capabilities) {
    if ((c.bit == cap_sasl && !o.login && !o.account_of)
        || (c.bit == cap_chathistory && o.history_limit == 0))
      continue;
    list.append(list.empty() ? "" : " ").append(c.name);
    if (c.bit == cap_sasl && with_values)
      list += !o.account_of ? "=PLAIN" : !o.login ? "=EXTERNAL" : "=PLAIN,EXTERNAL";
  }
  return list;
}

void session::on_cap(const message& m) {
  message sub;
  const auto verb = m.param(0);
  (void)sub.parse(verb);
  const auto answer = [&](std::string_view how, std::string_view text) {
    std::string out;
    line{out, server_->options().name, "CAP"}.param(nick()).param(how).trailing(text).end();
    send_lines(out);
  };
  if (sub.is("LS")) {
    if (newcomer_)
      newcomer_->negotiating = true;
    const bool new_kind = m.param(1) >= "302" && m.param(1).size() >= 3;
    if (new_kind)
      capabilities_ |= cap_cap_notify;
    answer("LS", cap_list(new_kind));
  } else if (sub.is("LIST")) {
    std::string list;
    for (const auto& c : all_capabilities)
      if ((capabilities_ & c.bit) != 0)
        list.append(list.empty() ? "" : " ").append(c.name);
    answer("LIST", list);
  } else if (sub.is("REQ")) {
    if (newcomer_)
      newcomer_->negotiating = true;
    cap_request(m.param(1));
  } else if (sub.is("END")) {
    if (newcomer_)
      newcomer_->negotiating = false;
    register_if_complete();
  } else {
    reply(410, {verb}, "Invalid CAP command");
  }
}

// All or nothing.
void session::cap_request(std::string_view list) {
  auto wanted = capabilities_;
  bool known = true;
  const auto offered = " " + cap_list(false) + " ";
  for (auto rest = list; !rest.empty();) {
    auto one = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one.empty())
      continue;
    const bool off = one.front() == '-';
    if (off)
      one.remove_prefix(1);
    const auto* const found = std::ranges::find(all_capabilities, one, &named_capability::name);
    if (found == std::end(all_capabilities)
        || offered.find(" " + std::string{one} + " ") == std::string::npos)
      known = false;
    else
      wanted = off ? wanted & ~found->bit : wanted | found->bit;
  }
  if (known)
    capabilities_ = wanted;
  std::string out;
  line{out, server_->options().name, "CAP"}
    .param(nick())
    .param(known ? "ACK" : "NAK")
    .trailing(cut_text(list, 400))
    .end();
  send_lines(out);
}

// -- who it is ------------------------------------------------------------------------------------

void session::on_pass(const message& m) {
  if (!newcomer_)
    return reply(462, {}, "You may not reregister");
  newcomer_->password = m.param(0);
}

// Which address a user of a gateway has.
void session::on_webirc(const message& m) {
  if (!newcomer_ || !newcomer_->nick.empty() || !newcomer_->user.empty())
    return reply(462, {}, "You may not reregister");
  const auto& all = server_->options().gateways;
  if (std::ranges::none_of(all, [&](const web_gateway& g) {
        return g.address == host_ && same_secret(m.param(0), g.password);
      }))
    return close("You are no gateway that is known here");
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const std::string said{m.param(3)};
  const int family = said.find(':') != std::string::npos ? AF_INET6 : AF_INET;
  if (::inet_pton(family, said.c_str(), bytes.data()) != 1
      || ::inet_ntop(family, bytes.data(), text.data(), text.size()) == nullptr)
    return close("A gateway has to say an address");
  const std::string address = text.data();
  const auto now = loop().time();
  if (server_->admit(address, now) != server::admission::granted)
    return close("Too many connections from your address");
  server_->release(host_, now);
  host_ = address;
}

// Tells whether this one, once logged in, may take the place of who has the nick.
bool session::may_replace(const user* has) const {
  return has != nullptr && newcomer_ && server_->options().replace_logins
         && has->connection != nullptr && !has->account.empty();
}

void session::on_nick(const message& m) {
  const auto wanted = m.param(0);
  if (wanted.empty())
    return reply(431, {}, "No nickname given");
  if (!server_->is_nick(wanted))
    return reply(432, {wanted}, "Erroneous nickname");
  if (self_ != nullptr && self_->nick == wanted)
    return;
  if (const auto* const has = server_->find_user(wanted);
      has != nullptr && has != self_ && !may_replace(has))
    return reply(433, {wanted}, "Nickname is already in use");
  wanted_ = wanted;
  asking_ = true;
  server_->nick_wanted(*this, wanted_);
}

void session::answer_nick(bool granted) {
  if (!std::exchange(asking_, false))
    return;
  const auto wanted = std::exchange(wanted_, {});
  if (closing_)
    return;
  // Somebody else may have got it meanwhile.
  const auto* const has = server_->find_user(wanted);
  if (!granted || (has != nullptr && has != self_ && !may_replace(has))) {
    reply(433, {wanted}, "Nickname is already in use");
  } else if (self_ != nullptr) {
    server_->rename(*self_, wanted);
  } else {
    newcomer_->nick = wanted;
    register_if_complete();
  }
  go_on();
}

void session::on_user(const message& m) {
  if (!newcomer_)
    return reply(462, {}, "You may not reregister");
  std::string name = "~";
  for (const char c : m.param(0).substr(0, 30))
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
        || c == '_' || c == '.')
      name += c;
  if (name.size() == 1)
    name += "user";
  newcomer_->user = name.substr(0, 11);
  newcomer_->realname =
    cut_text(printable(strip_formatting(m.param(3))), server_->options().realname_length);
  register_if_complete();
}

void session::register_if_complete() {
  if (!newcomer_ || newcomer_->nick.empty() || newcomer_->user.empty() || newcomer_->negotiating)
    return;
  auto& n = *newcomer_;
  const auto& o = server_->options();
  if (!o.password.empty() && !same_secret(n.password, o.password)) {
    reply(464, {}, "Password incorrect");
    return close("Bad password");
  }
  // PASS account:password logs in, for clients without SASL.
  if (const auto colon = n.password.find(':');
      o.password.empty() && o.login && n.account.empty() && colon != std::string::npos) {
    const auto account = n.password.substr(0, colon);
    if (!is_account(account) || !o.login(account, n.password.substr(colon + 1))) {
      reply(464, {}, "Password incorrect");
      return close("Bad password");
    }
    n.account = account;
  }
  if (const auto* const has = server_->find_user(n.nick);
      may_replace(has) && has->account == n.account)
    has->connection->close("Replaced by another login of the same account");
  if (server_->find_user(n.nick) != nullptr) {
    const auto taken = std::exchange(n.nick, {});
    return reply(433, {taken}, "Nickname is already in use");
  }
  user who;
  who.nick = n.nick;
  who.name = n.user;
  who.host = server_->cloak(host_);
  who.realname = n.realname;
  who.account = n.account;
  who.connection = this;
  who.since = std::chrono::system_clock::now();
  who.last_said = loop().time();
  self_ = &server_->add(std::move(who));
  newcomer_.reset();
  --server_->unregistered_;
  ++server_->clients_;
  set_timer(o.ping_after);
  welcome();
  server_->came(*this);
}

void session::welcome() {
  const auto& o = server_->options();
  char when[64];
  const auto since = std::chrono::system_clock::to_time_t(server_->since_);
  std::tm parts{};
  std::strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", ::gmtime_r(&since, &parts));
  reply(1, {}, "Welcome to the " + o.network + " network, " + self_->prefix());
  reply(2, {}, "Your host is " + o.name + ", running troupe");
  reply(3, {}, std::string{"This server was started at "} + when);
  reply(4, {o.name, "troupe", "io", "biklmnostv", "bklov"});
  send_features();
  send_lusers();
  send_motd();
}

void session::send_features() {
  const auto& o = server_->options();
  const auto n = [](std::size_t number) {
    return std::to_string(number);
  };
  reply(5,
        {"CASEMAPPING=ascii", "CHANTYPES=#", "PREFIX=(ov)@+", "CHANMODES=b,k,l,imnst",
         "MODES=" + n(o.modes_per_command), "MAXLIST=b:" + n(o.bans_per_channel),
         "CHANLIMIT=#:" + n(o.channels_per_user), "NETWORK=" + o.network},
        "are supported by this server");
  reply(5,
        {"NICKLEN=" + n(o.nick_length), "CHANNELLEN=" + n(o.channel_length),
         "TOPICLEN=" + n(o.topic_length), "KICKLEN=" + n(o.reason_length),
         "AWAYLEN=" + n(o.away_length), "USERLEN=11",
         "TARGMAX=PRIVMSG:" + n(o.targets) + ",NOTICE:" + n(o.targets) + ",JOIN:,KICK:1,WHOIS:1",
         "WHOX", "UTF8ONLY"},
        "are supported by this server");
  if (o.history_limit > 0)
    reply(5, {"CHATHISTORY=" + n(o.history_limit), "MSGREFTYPES=timestamp,msgid"},
          "are supported by this server");
}

void session::send_motd() {
  const auto& o = server_->options();
  if (o.motd.empty())
    return reply(422, {}, "MOTD File is missing");
  reply(375, {}, "- " + o.name + " Message of the day - ");
  for (const auto& one : o.motd)
    reply(372, {}, "- " + printable(one));
  reply(376, {}, "End of MOTD command");
}

void session::send_lusers() {
  const auto& s = *server_;
  const auto n = [](std::size_t number) {
    return std::to_string(number);
  };
  reply(251, {},
        "There are " + n(s.users_.size() - s.invisible_) + " users and " + n(s.invisible_)
          + " invisible on 1 servers");
  reply(252, {n(s.operators_)}, "operator(s) online");
  if (s.unregistered_ > 0)
    reply(253, {n(s.unregistered_)}, "unknown connection(s)");
  reply(254, {n(s.channels_.size())}, "channels formed");
  reply(255, {}, "I have " + n(s.clients_) + " clients and 0 servers");
  reply(265, {n(s.users_.size()), n(s.most_users_)},
        "Current local users " + n(s.users_.size()) + ", max " + n(s.most_users_));
}

// -- SASL -----------------------------------------------------------------------------------------

void session::on_authenticate(const message& m) {
  constexpr std::size_t chunk = 400, most = 4096;
  const auto& o = server_->options();
  if ((capabilities_ & cap_sasl) == 0)
    return reply(421, {"AUTHENTICATE"}, "Unknown command");
  if (!newcomer_)
    return reply(907, {}, "You have already authenticated using SASL");
  auto& n = *newcomer_;
  const auto text = m.param(0);
  if (text == "*") {
    n.mechanism.clear();
    n.sasl.clear();
    return reply(906, {}, "SASL authentication aborted");
  }
  if (!n.account.empty())
    return reply(907, {}, "You have already authenticated using SASL");
  if (n.mechanism.empty()) {
    message mechanism;
    (void)mechanism.parse(text);
    if (mechanism.is("PLAIN") && o.login)
      n.mechanism = "PLAIN";
    else if (mechanism.is("EXTERNAL") && o.account_of)
      n.mechanism = "EXTERNAL";
    else {
      reply(908,
            {!o.account_of ? "PLAIN"
             : !o.login    ? "EXTERNAL"
                           : "PLAIN,EXTERNAL"},
            "are available SASL mechanisms");
      return reply(904, {}, "SASL authentication failed");
    }
    return send_lines("AUTHENTICATE +\r\n");
  }
  if (text.size() > chunk || n.sasl.size() + text.size() > most) {
    n.mechanism.clear();
    n.sasl.clear();
    return reply(905, {}, "SASL message too long");
  }
  if (text != "+")
    n.sasl += text;
  if (text.size() == chunk)
    return; // more comes
  const auto plain = detail::from_base64(std::exchange(n.sasl, {}));
  const auto mechanism = std::exchange(n.mechanism, {});
  if (!plain)
    return sasl_failed();
  if (mechanism == "EXTERNAL") {
    const auto* const tls = transport().tls();
    const auto certificate = tls != nullptr ? tls->peer_certificate() : std::nullopt;
    const auto account = certificate ? o.account_of(*certificate) : std::nullopt;
    if (!account || !is_account(*account) || (!plain->empty() && *plain != *account))
      return sasl_failed();
    return sasl_done(*account);
  }
  // RFC 4616: authorization identity NUL account NUL password
  const auto first = plain->find('\0');
  const auto second = first == std::string::npos ? first : plain->find('\0', first + 1);
  if (second == std::string::npos)
    return sasl_failed();
  const auto as = plain->substr(0, first);
  const auto account = plain->substr(first + 1, second - first - 1);
  if (!is_account(account) || (!as.empty() && as != account)
      || !o.login(account, std::string_view{*plain}.substr(second + 1)))
    return sasl_failed();
  sasl_done(account);
}

void session::sasl_failed() {
  reply(904, {}, "SASL authentication failed");
  if (++newcomer_->failures >= 3)
    close("Too many failed logins");
}

void session::sasl_done(std::string_view account) {
  newcomer_->account = account;
  reply(900, {std::string{nick()} + "!*@*", account},
        "You are now logged in as " + std::string{account});
  reply(903, {}, "SASL authentication successful");
}

// -- others -----------------------------------------------------------------------------------------

void session::on_ping(const message& m) {
  if (m.size() == 0 || m.param(0).empty())
    return reply(409, {}, "No origin specified");
  std::string out;
  line{out, server_->options().name, "PONG"}
    .param(server_->options().name)
    .trailing(m.size() > 1 ? m.param(0) : m.last())
    .end();
  send_lines(out);
}

void session::on_pong(const message&) {
  pinged_ = false;
}

void session::on_quit(const message& m) {
  const auto text = printable(strip_formatting(m.param(0)));
  close(text.empty() ? "Client Quit" : "Quit: " + text);
}

void session::on_oper(const message& m) {
  for (const auto& o : server_->options().operators)
    if (o.name == m.param(0) && same_secret(m.param(1), o.password)) {
      server_->set_server_operator(*self_, true);
      reply(381, {}, "You are now an IRC operator");
      std::string out;
      line{out, self_->prefix(), "MODE"}.param(self_->nick).param("+o").end();
      return send_lines(out);
    }
  reply(464, {}, "Password incorrect");
}

void session::on_kill(const message& m) {
  if (!self_->server_operator())
    return reply(481, {}, "Permission Denied- You're not an IRC operator");
  auto* const who = server_->find_user(m.param(0));
  if (who == nullptr)
    return no_such_nick(m.param(0));
  if (who->connection == nullptr)
    return reply(483, {}, "You can't kill a guest of this server");
  who->connection->close("Killed by " + self_->nick + ": "
                         + printable(strip_formatting(m.param(1))));
}

} // namespace troupe::irc
