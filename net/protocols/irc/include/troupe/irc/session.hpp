#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <troupe/irc/history.hpp>
#include <troupe/irc/line_splitter.hpp>
#include <troupe/irc/message.hpp>
#include <troupe/irc/server.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/delayed_call.hpp>

namespace troupe::irc {

/// One client of a server.
///
/// States: not registered (CAP, PASS, NICK, USER, AUTHENTICATE, PING, PONG and QUIT alone) -> registered
/// (`self()`) -> closing.
///
/// Thread: its loop's.
class session : public protocol {
public:
  session(caf::actor_config& cfg, std::shared_ptr<irc::server> of);
  ~session() override;

  /// Returns who it is, or null before it has registered and after it has gone.
  [[nodiscard]] user* self() const noexcept { return self_; }
  [[nodiscard]] irc::server& of() const noexcept { return *server_; }
  [[nodiscard]] std::uint32_t capabilities() const noexcept { return capabilities_; }

  /// Says whether the client gets the nick that it asked for last.
  void answer_nick(bool granted);

  /// Answers what the client asked by CHATHISTORY last: with lines, the oldest first, or with the reason why not. Without
  /// effect if it waits for no such answer.
  void answer_history(std::span<const history_line> lines);
  void refuse_history(std::string_view why);

  /// Answers CHATHISTORY TARGETS likewise. All may be given that there are: what was not asked for, and channels in which the
  /// client is not, are left out, and the rest is sorted.
  void answer_history_targets(std::span<const history_target> targets);

  /// Counts as so many lines that the client has sent, for what a command takes beyond others.
  void charge(std::size_t lines);

  /// Sends a numeric reply. Parameters that could not stand where they are become "*"; a line that is too
  /// long is cut.
  void reply(unsigned number, std::initializer_list<std::string_view> params,
             std::string_view text);
  void reply(unsigned number, std::initializer_list<std::string_view> params);

  /// Sends whole lines.
  void send_lines(std::string_view lines);
  void send_lines(const shared_bytes& lines);

  /// Ends the connection, with an ERROR that says why.
  void close(std::string_view reason);

  void connection_made() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;

private:
  friend class server;
  using handler = void (session::*)(const message&);
  struct command;
  struct capture;
  struct newcomer; // what is known of who has not registered
  struct asked_history;

  static const command* find_command(std::string_view name);

  // -- reading
  void go_on();
  void take_pending();
  void take_line(std::string_view text);
  void dispatch(const message& m);
  void run(const command& c, const message& m);
  [[nodiscard]] std::string label_of(const message& m) const;
  void answer_labelled(std::string_view label, std::string lines);
  [[nodiscard]] bool within_allowance(std::size_t bytes);
  void watch();
  void set_timer(duration after);
  void gone(std::string_view reason);

  // -- registration
  void on_cap(const message&);
  void on_pass(const message&);
  void on_nick(const message&);
  void on_user(const message&);
  void on_authenticate(const message&);
  void on_ping(const message&);
  void on_pong(const message&);
  void on_quit(const message&);
  void on_oper(const message&);
  void on_kill(const message&);
  void on_webirc(const message&);
  void cap_request(std::string_view list);
  [[nodiscard]] std::string cap_list(bool with_values) const;
  void sasl_done(std::string_view account);
  void sasl_failed();
  [[nodiscard]] bool may_replace(const user* has) const;
  void register_if_complete();
  void welcome();
  void send_features();
  void send_motd();
  void send_lusers();

  // -- channels
  void on_join(const message&);
  void on_part(const message&);
  void on_topic(const message&);
  void on_names(const message&);
  void on_list(const message&);
  void on_kick(const message&);
  void on_invite(const message&);
  void join_one(std::string_view name, std::string_view key);
  void send_topic(channel& c);
  void send_names(channel& c);
  [[nodiscard]] std::string signs(std::uint8_t rank) const;

  // -- modes
  void on_mode(const message&);
  void user_mode(const message&);
  void channel_mode(channel& c, const message&);
  void send_bans(channel& c);

  // -- talk
  void on_privmsg(const message&);
  void on_notice(const message&);
  void on_tagmsg(const message&);
  void on_away(const message&);
  void talk(const message& m, bool notice);
  void talk_to(std::string_view target, std::string_view text, bool notice, std::string_view tags);
  [[nodiscard]] bool may_talk(channel& c);

  // -- history
  void on_chathistory(const message&);
  void ask_history_targets(const message&);
  [[nodiscard]] std::string begin_history_batch(std::string_view type, std::string_view target,
                                                std::string_view label) const;
  void send_history(std::string_view label, std::string out);
  void fail_history(std::string_view code, std::string_view why);
  [[nodiscard]] std::string history_failure(std::string_view code, std::string_view subcommand,
                                            std::string_view target, std::string_view why) const;

  // -- questions
  void on_who(const message&);
  void on_whois(const message&);
  void on_whowas(const message&);
  void on_lusers(const message&);
  void on_motd(const message&);
  void on_ison(const message&);
  void on_userhost(const message&);
  void on_version(const message&);
  void on_time(const message&);
  void on_info(const message&);
  void on_admin(const message&);
  void send_who(user& who, const channel* in, std::string_view fields, std::string_view token);

  void send_reply(unsigned number, std::span<const std::string_view> params,
                  std::optional<std::string_view> text);
  [[nodiscard]] std::string_view nick() const noexcept;
  void no_such_nick(std::string_view nick);
  void no_such_channel(std::string_view name);

  std::shared_ptr<irc::server> server_;
  user* self_ = nullptr;
  std::unique_ptr<newcomer> newcomer_;
  std::unique_ptr<asked_history> history_; // that waits for its answer
  std::string host_;                       // as it is
  std::string pending_;                    // bytes whose time has not come
  std::string wanted_;                     // the nick that was asked for
  std::string* captured_ = nullptr;
  line_splitter lines_;
  delayed_call timer_;
  time_point heard_{};
  time_point allowance_{}; // of which the past is free
  delayed_call pause_;
  std::uint32_t capabilities_ = 0;
  bool admitted_ = false;
  bool asking_ = false; // for a nick
  bool closing_ = false;
  bool pinged_ = false;
  bool reading_ = false;
};

} // namespace troupe::irc
