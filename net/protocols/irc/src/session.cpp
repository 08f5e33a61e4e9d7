#include <troupe/irc/session.hpp>

#include <algorithm>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/irc/formatting.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "cut_text.hpp"
#include "session_parts.hpp"

namespace troupe::irc {

namespace {

constexpr auto unsent_grace = std::chrono::seconds{10}; // who takes nothing is not waited for

} // namespace

session::session(caf::actor_config& cfg, std::shared_ptr<irc::server> of)
  : protocol(cfg), server_(std::move(of)), lines_(longest_client_tags) {}

session::~session() = default;

// -- beginning and end ----------------------------------------------------------------------------

void session::connection_made() {
  if (!server_->lives_on(loop())) {
    loop().scheduler().logger().error("[{}] a server of IRC has one loop: its port needs "
                                      "placement::same_loop",
                                      log_name());
    closing_ = true;
    return transport().abort_connection();
  }
  transport().set_output_limits({.hard = server_->options().send_queue});
  host_ = transport().get_peer().host();
  heard_ = loop().time();
  const auto how = server_->admit(host_, heard_);
  if (how != server::admission::granted) {
    transport().write(how == server::admission::too_many
                        ? "ERROR :Closing Link: too many connections from your address\r\n"
                      : how == server::admission::too_fast
                        ? "ERROR :Closing Link: you connect too often\r\n"
                        : "ERROR :Closing Link: too many connections\r\n");
    closing_ = true;
    transport().lose_connection();
    return set_timer(unsent_grace);
  }
  admitted_ = true;
  ++server_->unregistered_;
  newcomer_ = std::make_unique<newcomer>();
  set_timer(server_->options().registration_time);
}

void session::connection_lost(const failure& reason) {
  const auto because = reason.check(errc::connection_done)        ? "Connection closed"
                       : reason.check(errc::connection_lost)      ? "Connection reset by peer"
                       : reason.check(errc::output_limit_reached) ? "SendQ exceeded"
                       : reason.check(errc::runtime_stopped)      ? "Server shutting down"
                                                                  : "Connection lost";
  gone(because);
  if (std::exchange(admitted_, false))
    server_->release(host_, loop().time());
}

// The user ends; the connection may still have something to send.
void session::gone(std::string_view reason) {
  closing_ = true;
  pending_ = {};
  history_.reset();
  if (newcomer_) {
    newcomer_.reset();
    if (admitted_)
      --server_->unregistered_;
  }
  if (self_ != nullptr)
    server_->end(*self_, cut_text(reason, server_->options().reason_length));
}

void session::close(std::string_view reason) {
  if (closing_)
    return;
  const auto host = self_ != nullptr ? self_->host : server_->cloak(host_);
  std::string last;
  line{last, "", "ERROR"}
    .trailing("Closing Link: " + host + " (" + std::string{reason} + ")")
    .end();
  if (captured_ != nullptr)
    transport().write(*std::exchange(captured_, nullptr));
  transport().write(last);
  gone(reason);
  transport().lose_connection();
  set_timer(unsent_grace);
}

// -- time -----------------------------------------------------------------------------------------

void session::set_timer(duration after) {
  if (timer_.active())
    timer_.cancel();
  timer_ = call_later(after, [this] { watch(); });
}

void session::watch() {
  const auto& o = server_->options();
  if (closing_)
    return transport().abort_connection();
  if (self_ == nullptr)
    return close("Registration timed out");
  const auto silent = loop().time() - heard_;
  if (silent < o.ping_after) {
    pinged_ = false;
    return set_timer(o.ping_after - silent);
  }
  if (pinged_)
    return close("Ping timeout: "
                 + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(silent).count())
                 + " seconds");
  pinged_ = true;
  std::string ping;
  line{ping, "", "PING"}.trailing(o.name).end();
  send_lines(ping);
  set_timer(o.ping_wait);
}

// A line costs time, of which so much may be taken in advance.
bool session::within_allowance(std::size_t bytes) {
  const auto& o = server_->options();
  if (!o.flood_control)
    return true;
  const auto now = loop().time();
  allowance_ = std::max(allowance_, now);
  if (allowance_ - now >= o.flood_allowance) {
    pause_ = call_later(allowance_ - now - o.flood_allowance + std::chrono::milliseconds{1},
                        [this] { go_on(); });
    return false;
  }
  allowance_ += o.line_cost + o.line_cost * static_cast<int>(bytes) / 100;
  return true;
}

// -- reading --------------------------------------------------------------------------------------

void session::data_received(bytes_view data) {
  if (closing_)
    return;
  heard_ = loop().time();
  pending_ += as_text(data);
  go_on();
}

void session::go_on() {
  if (reading_ || closing_)
    return;
  if (!asking_ && !history_ && !pause_.active())
    take_pending();
  if (!closing_ && pending_.size() > server_->options().receive_queue)
    close("Excess Flood");
}

void session::take_pending() {
  reading_ = true;
  const std::string bytes = std::exchange(pending_, {});
  std::string_view rest = bytes;
  while (!rest.empty() && !asking_ && !history_ && !closing_) {
    const auto next = rest.substr(0, longest_line);
    if (!within_allowance(std::min(next.find_first_of("\r\n"), next.size())))
      break;
    std::string_view text;
    const auto found = lines_.next(rest, text);
    if (found == line_splitter::status::more)
      allowance_ -= server_->options().line_cost; // it comes when the line is whole
    else if (found == line_splitter::status::too_long)
      reply(417, {}, "Input line was too long");
    else
      take_line(text);
  }
  reading_ = false;
  if (!closing_)
    pending_.insert(0, rest);
}

void session::take_line(std::string_view text) {
  message m;
  const auto fault = m.parse(text);
  if (fault == message_fault::none)
    return dispatch(m);
  loop().scheduler().logger().debug("[{}] no message: {}: {}", log_name(), to_string(fault),
                                    quoted_text(text, 100));
}

// Nothing is written to `to` after this, whatever a hook throws.
struct session::capture {
  capture(std::string*& where, std::string* to) : where(where) { where = to; }
  ~capture() { where = nullptr; }
  std::string*& where;
};

void session::dispatch(const message& m) {
  const auto label = label_of(m);
  std::string captured;
  const capture until_done{captured_, !label.empty() ? &captured : nullptr};
  if (const auto* const c = find_command(m.command()); c == nullptr) {
    if (self_ == nullptr)
      reply(451, {}, "You have not registered");
    else
      reply(421, {m.command()}, "Unknown command");
  } else {
    run(*c, m);
  }
  const bool answered = captured_ != nullptr; // else the answer comes later, with its label
  captured_ = nullptr;
  if (answered && !closing_)
    answer_labelled(label, std::move(captured));
}

void session::run(const command& c, const message& m) {
  if (self_ == nullptr && !c.before)
    return reply(451, {}, "You have not registered");
  if (m.size() < c.params)
    return reply(461, {c.name}, "Not enough parameters");
  (this->*c.run)(m);
}

// Returns the label that the answer has, or nothing.
std::string session::label_of(const message& m) const {
  const auto label =
    (capabilities_ & cap_labeled_response) != 0 ? m.tag("label") : std::optional<std::string>{};
  return label && label->size() <= 64 ? *label : std::string{};
}

// What answers a labelled command has the label: on its one line, on a batch of several, or on an ACK.
void session::answer_labelled(std::string_view label, std::string lines) {
  std::string tag = "label=";
  append_tag_value(tag, label);
  const auto count = std::ranges::count(lines, '\n');
  std::string out;
  const auto with_tag = [&out](std::string_view one, std::string_view added) {
    out.append("@").append(added);
    if (one.front() == '@')
      out.append(";").append(one.substr(1));
    else
      out.append(" ").append(one);
  };
  if (count == 0) {
    line{out, tag, server_->options().name, "ACK"}.end();
  } else if (count == 1) {
    with_tag(lines, tag);
  } else if ((capabilities_ & cap_batch) != 0) {
    line{out, tag, server_->options().name, "BATCH"}.param("+1").param("labeled-response").end();
    for (std::string_view rest = lines; !rest.empty();) {
      const auto one = rest.substr(0, rest.find('\n') + 1);
      with_tag(one, "batch=1");
      rest.remove_prefix(one.size());
    }
    line{out, server_->options().name, "BATCH"}.param("-1").end();
  } else {
    out = std::move(lines);
  }
  send_lines(out);
}

// -- answering ------------------------------------------------------------------------------------

std::string_view session::nick() const noexcept {
  return self_ != nullptr                        ? std::string_view{self_->nick}
         : newcomer_ && !newcomer_->nick.empty() ? std::string_view{newcomer_->nick}
                                                 : std::string_view{"*"};
}

namespace {

std::string_view middle(std::string_view text) noexcept {
  return text.empty() || text.front() == ':' || text.find(' ') != std::string_view::npos
           ? "*"
           : cut_text(text, 200); // names of channels and users are shorter
}

} // namespace

void session::reply(unsigned number, std::initializer_list<std::string_view> params,
                    std::string_view text) {
  send_reply(number, {params.begin(), params.size()}, text);
}

void session::reply(unsigned number, std::initializer_list<std::string_view> params) {
  send_reply(number, {params.begin(), params.size()}, std::nullopt);
}

void session::send_reply(unsigned number, std::span<const std::string_view> params,
                         std::optional<std::string_view> text) {
  const char digits[] = {static_cast<char>('0' + number / 100 % 10),
                         static_cast<char>('0' + number / 10 % 10),
                         static_cast<char>('0' + number % 10)};
  std::string out;
  line to{out, server_->options().name, {digits, 3}};
  to.param(nick());
  for (const auto p : params)
    to.param(middle(p));
  if (text)
    to.trailing(*text);
  out.resize(cut_text(out, longest_line - 2).size());
  send_lines(out += "\r\n");
}

void session::send_lines(std::string_view lines) {
  if (captured_ != nullptr)
    captured_->append(lines);
  else if (connected())
    transport().write(lines);
}

void session::send_lines(const shared_bytes& lines) {
  if (captured_ != nullptr)
    captured_->append(lines.text());
  else if (connected())
    transport().write(lines);
}

void session::no_such_nick(std::string_view nick) {
  reply(401, {nick}, "No such nick/channel");
}

void session::no_such_channel(std::string_view name) {
  reply(403, {name}, "No such channel");
}

// -- commands -------------------------------------------------------------------------------------

const session::command* session::find_command(std::string_view name) {
  static constexpr command all[] = {
    {"ADMIN", &session::on_admin, 0, false},
    {"AUTHENTICATE", &session::on_authenticate, 1, true},
    {"AWAY", &session::on_away, 0, false},
    {"CAP", &session::on_cap, 1, true},
    {"CHATHISTORY", &session::on_chathistory, 0, false},
    {"INFO", &session::on_info, 0, false},
    {"INVITE", &session::on_invite, 2, false},
    {"ISON", &session::on_ison, 1, false},
    {"JOIN", &session::on_join, 1, false},
    {"KICK", &session::on_kick, 2, false},
    {"KILL", &session::on_kill, 1, false},
    {"LIST", &session::on_list, 0, false},
    {"LUSERS", &session::on_lusers, 0, false},
    {"MODE", &session::on_mode, 1, false},
    {"MOTD", &session::on_motd, 0, false},
    {"NAMES", &session::on_names, 0, false},
    {"NICK", &session::on_nick, 0, true},
    {"NOTICE", &session::on_notice, 0, false},
    {"OPER", &session::on_oper, 2, false},
    {"PART", &session::on_part, 1, false},
    {"PASS", &session::on_pass, 1, true},
    {"PING", &session::on_ping, 0, true},
    {"PONG", &session::on_pong, 0, true},
    {"PRIVMSG", &session::on_privmsg, 0, false},
    {"QUIT", &session::on_quit, 0, true},
    {"TAGMSG", &session::on_tagmsg, 1, false},
    {"TIME", &session::on_time, 0, false},
    {"TOPIC", &session::on_topic, 1, false},
    {"USER", &session::on_user, 4, true},
    {"USERHOST", &session::on_userhost, 1, false},
    {"VERSION", &session::on_version, 0, false},
    {"WEBIRC", &session::on_webirc, 4, true},
    {"WHO", &session::on_who, 0, false},
    {"WHOIS", &session::on_whois, 1, false},
    {"WHOWAS", &session::on_whowas, 1, false},
  };
  char upper[16];
  if (name.size() > sizeof upper)
    return nullptr;
  std::ranges::transform(name, upper, [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  const std::string_view key{upper, name.size()};
  const auto* const found = std::ranges::lower_bound(all, key, {}, &command::name);
  return found != std::end(all) && found->name == key ? found : nullptr;
}

} // namespace troupe::irc
