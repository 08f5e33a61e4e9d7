#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/irc/client_lookups.hpp>
#include <troupe/irc/ctcp.hpp>
#include <troupe/irc/dcc_request.hpp>
#include <troupe/irc/isupport.hpp>
#include <troupe/irc/line_splitter.hpp>
#include <troupe/irc/message.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/delayed_call.hpp>

namespace troupe::irc {

/// The channels in which a client was when its connection ended, with their keys. Thread: that of the client's loop.
struct remembered_channels {
  std::map<std::string, std::string> keys{}; ///< by the names of channels; empty: none
};

/// Who a client is, and how it behaves. Thread: any; it is copied.
struct client_options {
  std::string nick;
  std::string user{};     ///< the nick if empty
  std::string realname{}; ///< the nick if empty
  std::string password{}; ///< of the server; empty: none

  /// Tried once if the server finds the nick erroneous.
  std::string default_nick{};

  /// Logs in by SASL PLAIN if there is an account and a password, by EXTERNAL (the certificate of TLS) if
  /// there is only `external`. Where the server cannot, or refuses, the connection ends.
  std::string account{};
  std::string account_password{};
  bool external = false;

  /// What is asked for of what the server offers.
  std::vector<std::string> capabilities{"message-tags", "server-time",   "account-tag",
                                        "echo-message", "away-notify",   "account-notify",
                                        "multi-prefix", "extended-join", "userhost-in-names"};

  std::vector<std::string> channels{}; ///< joined after sign-on: "#c", or "#c key"

  /// Where it was is joined again by the client of the next connection, which has a copy of these options
  /// (`reconnecting_client_factory`); null: `channels` alone are. What it left, or was sent out of, is not.
  std::shared_ptr<remembered_channels> remember{};

  /// The answer to CTCP VERSION; empty: none.
  std::string version{"troupe"};

  std::optional<duration> ping_every = std::chrono::seconds{120}; ///< nullopt: never
  duration ping_wait =
    std::chrono::seconds{60}; ///< without a line: the connection is lost, timed out

  /// Lines that leave at once, and then one each `line_every`; 0 of that: all at once.
  std::size_t burst = 5;
  duration line_every = std::chrono::seconds{1};
  std::size_t most_waiting = 1000; ///< lines; a line more is refused
};

/// Who sent something, and when if the server says so (`server-time`).
struct origin {
  std::string_view nick;
  std::string_view user;
  std::string_view host;
  std::string_view account; ///< if the server says so
  std::string_view time;    ///< as the tag has it
  bool myself = false;
};

/// One connection to a server of IRC, as a client.
///
/// Override what should happen; what is not overridden does nothing. It answers PING, keeps its nick (with "_"
/// where it is taken), asks a silent server whether it is there, and knows what the server says of itself.
///
/// ```cpp
/// class parrot : public troupe::irc::client {
/// public:
///   using client::client;
///   void privmsg(const troupe::irc::origin& from, std::string_view to, std::string_view text) override {
///     if (!from.myself && features().is_channel(to))
///       say(to, text);
///   }
/// };
/// troupe::connect_tcp(rt, "irc.example", 6667,
///                     troupe::client_factory::for_protocol<parrot>(troupe::irc::client_options{.nick = "polly"}));
/// ```
///
/// Text that comes is bytes of a stranger: `clean_text`, or `printable(strip_formatting(text))`, before
/// anybody sees it.
///
/// Thread: its loop's. Source: twisted.words.protocols.irc.IRCClient
class client : public protocol {
public:
  client(caf::actor_config& cfg, client_options options);
  ~client() override;

  // -- what to override -------------------------------------------------------------------------

  /// The server has welcomed us.
  virtual void signed_on() {}

  /// We, or somebody, came to a channel, left it, or was sent out of it.
  virtual void joined(std::string_view /*channel*/) {}
  virtual void left(std::string_view /*channel*/) {}
  virtual void kicked_from(std::string_view /*channel*/, const origin& /*by*/,
                           std::string_view /*reason*/) {}
  virtual void user_joined(const origin& /*who*/, std::string_view /*channel*/) {}
  virtual void user_left(const origin& /*who*/, std::string_view /*channel*/,
                         std::string_view /*reason*/) {}
  virtual void user_kicked(std::string_view /*nick*/, std::string_view /*channel*/,
                           const origin& /*by*/, std::string_view /*reason*/) {}
  virtual void user_quit(const origin& /*who*/, std::string_view /*reason*/) {}
  virtual void nick_changed(std::string_view /*nick*/) {}
  virtual void user_renamed(const origin& /*who*/, std::string_view /*nick*/) {}
  virtual void invited(const origin& /*by*/, std::string_view /*channel*/) {}
  virtual void away_changed(const origin& /*who*/, std::string_view /*text*/) {}

  /// The topic of a channel is this: it was set, or it was so when we came. Empty: there is none.
  virtual void topic_updated(std::string_view /*by*/, std::string_view /*channel*/,
                             std::string_view /*topic*/) {}

  /// Modes of a channel, or our own, were changed: one call for each.
  virtual void mode_changed(const origin& /*by*/, std::string_view /*target*/, bool /*set*/,
                            char /*mode*/, std::string_view /*parameter*/) {}

  /// Something was said, to a channel or to us. What is a CTCP request in it comes as such.
  virtual void privmsg(const origin& /*from*/, std::string_view /*to*/, std::string_view /*text*/) {
  }
  virtual void noticed(const origin& /*from*/, std::string_view /*to*/, std::string_view /*text*/) {
  }
  virtual void action(const origin& /*from*/, std::string_view /*to*/, std::string_view /*text*/) {}

  /// A CTCP request came. VERSION and PING are answered unless overridden, at most once a second, and
  /// DCC is `dcc_requested`.
  virtual void ctcp_query(const origin& from, std::string_view to, const ctcp_request& request);
  virtual void ctcp_reply(const origin& /*from*/, const ctcp_request& /*reply*/) {}

  /// Somebody asks us alone to connect directly, in a request that can be read: `dcc_refusal` says whether to.
  /// What cannot be read is answered with the reason, and logged.
  virtual void dcc_requested(const origin& /*from*/, const dcc_request& /*request*/) {}

  /// The nicks of a channel are told whole, with their signs in front ("@ann").
  virtual void names(std::string_view /*channel*/, std::span<const std::string> /*nicks*/) {}
  virtual void motd(std::span<const std::string> /*lines*/) {}

  /// Any reply by number, beside what is done with it. From 400 on it is an error.
  virtual void numeric(unsigned /*number*/, const message& /*reply*/) {}

  /// The server has said ERROR; it ends the connection.
  virtual void error(std::string_view /*text*/) {}

  /// Any other message, or one that is none (`fault`), which is logged too.
  virtual void unknown(const message& /*what*/) {}

  // -- what it does -----------------------------------------------------------------------------
  //
  // All of these throw std::invalid_argument for what would break out of a line, and tell whether there was
  // room to wait (`client_options::most_waiting`).

  /// A name without a channel's sign gets "#".
  bool join(std::string_view channel, std::string_view key = {});
  bool leave(std::string_view channel, std::string_view reason = {});
  bool kick(std::string_view channel, std::string_view nick, std::string_view reason = {});
  bool invite(std::string_view nick, std::string_view channel);
  bool set_topic(std::string_view channel, std::string_view topic); ///< empty clears it
  bool ask_topic(std::string_view channel);
  bool ask_names(std::string_view channel);
  bool set_nick(std::string_view nick);
  bool away(std::string_view text); ///< empty: back

  /// Says a text, in as many lines as it needs.
  bool say(std::string_view to, std::string_view text);
  bool notice(std::string_view to, std::string_view text);
  bool act(std::string_view to, std::string_view text); ///< ACTION
  bool ctcp(std::string_view to, const ctcp_request& request, bool as_reply = false);
  bool dcc(std::string_view to, const dcc_request& request);

  /// Says goodbye if it is connected; the server then ends the connection. The actor itself ends with that
  /// (`pinned_actor::quit` is behind this name).
  void quit(std::string_view reason = {});

  /// Sends any message; the last parameter may be anything without CR, LF and NUL.
  bool send_message(std::string_view command, std::initializer_list<std::string_view> params);

  // -- what it asks -----------------------------------------------------------------------------
  //
  // The deferreds fire as this client, when the server has said all of it.
  //
  // Fails with: `errc::invalid_argument` if the server refuses, with what it says (nobody has the nick, and the like);
  // `errc::timed_out` if it has not said all after 30 s; `errc::not_connected` before sign-on and after the end;
  // `errc::queue_overflow` if there is no room to wait, or 100 of a kind wait; the reason of the end of the connection.

  deferred<whois_answer> whois(std::string_view nick);
  deferred<std::vector<who_answer>> who(std::string_view mask); ///< a channel, a nick, or a pattern
  deferred<std::vector<list_answer>> list(std::string_view channels = {}); ///< empty: all

  // -- what it knows ----------------------------------------------------------------------------

  [[nodiscard]] const std::string& nick() const noexcept { return nick_; }
  [[nodiscard]] bool is_signed_on() const noexcept { return signed_on_; }
  [[nodiscard]] const isupport& features() const noexcept { return features_; }
  [[nodiscard]] bool has_capability(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& channels() const noexcept { return channels_; }

  void connection_made() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;

private:
  static constexpr unsigned nick_tries = 5;

  struct lookups;
  [[nodiscard]] lookups& with_lookups();
  template <class Queue, class Answer>
  deferred<Answer> look_up(Queue lookups::*kind, std::string about, Answer begun,
                           std::string_view command);
  void take_lookup(unsigned number, const message& m);
  void take_whois(unsigned number, const message& m);
  void end_lookups(const failure& why);
  void remember_channel(std::string_view name);

  void dispatch(const message& m);
  void on_numeric(unsigned number, const message& m);
  void on_cap(const message& m);
  void on_authenticate();
  void on_talk(const message& m, const origin& from, bool notice);
  void on_mode(const message& m, const origin& from);
  void on_dcc(const origin& from, std::string_view data);
  [[nodiscard]] bool may_answer(const origin& to);
  void nick_taken();
  void welcomed(const message& m);
  void end_names(std::string_view channel);
  void begin_registration();
  void refused(std::string_view why);
  [[nodiscard]] bool is_me(std::string_view nick) const;
  [[nodiscard]] std::string channel_name(std::string_view name) const;
  [[nodiscard]] bool talk(std::string_view command, std::string_view to, std::string_view text);
  bool enqueue(std::string line);
  void at_once(std::string_view line);
  void send_waiting();
  void watch();
  void quit_for_silence();
  void quit_with(const failure& why);
  void forget_channel(std::string_view name);

  const client_options options_;
  std::string nick_;
  std::string tried_;  // the nick that was asked for last
  std::string prefix_; // as others see us, once it is known
  line_splitter lines_{longest_server_tags};
  isupport features_;
  std::vector<std::string> capabilities_; // that are on
  std::string offered_;                   // while the server lists them
  std::vector<std::string> channels_;
  std::map<std::string, std::vector<std::string>, std::less<>> names_; // being told
  std::vector<std::string> motd_;
  std::map<std::string, std::string, std::less<>> keys_; // that channels were asked for with
  std::shared_ptr<lookups> lookups_;                     // null: none was asked
  std::deque<std::string> waiting_;
  delayed_call pace_;
  delayed_call watch_;
  time_point heard_{};
  time_point allowance_{};
  time_point answered_{}; // a CTCP
  unsigned tries_ = 0;
  bool fell_back_ = false;
  bool signed_on_ = false;
  bool logged_in_ = false;
  bool pinged_ = false;
};

} // namespace troupe::irc
