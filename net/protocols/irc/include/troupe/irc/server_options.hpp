#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/net/tls_info.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe::irc {

/// Who may become an operator of the server.
struct server_operator {
  std::string name;
  std::string password;
};

/// A gateway, such as that of a page with a client in it, which says for whom it connects (WEBIRC).
struct web_gateway {
  std::string address; ///< from which it connects, as a number
  std::string password;
};

/// What a server is like. Numbers without a word about it have no "no limit".
struct server_options {
  std::string name = "irc.local";  ///< as in the prefix of what it says; no spaces
  std::string network = "Troupe";  ///< no spaces
  std::vector<std::string> motd{}; ///< lines of the message of the day; none: 422
  std::string password{};          ///< that PASS has to give; empty: none
  std::vector<server_operator> operators{};

  /// Says whether an account's password is right: then SASL PLAIN is offered.
  std::function<bool(std::string_view account, std::string_view password)> login{};

  /// Returns the account of who has this TLS certificate, or nothing: then SASL EXTERNAL is offered.
  std::function<std::optional<std::string>(const tls_certificate&)> account_of{};

  /// Whoever logs in and wants the nick of another connection of the same account takes its place, and that one ends. Off: the nick
  /// is in use.
  bool replace_logins = false;

  /// Who may say by WEBIRC which address its users have: from then on that is theirs, also for the limits. For the
  /// gateways themselves there are none.
  std::vector<web_gateway> gateways{};

  bool utf8_names = false;   ///< names of users and channels may have letters beyond ASCII
  bool cloak_hosts = true;   ///< others see eight digits in the place of an address
  bool flood_control = true; ///< the three below

  duration flood_allowance = std::chrono::seconds{10}; ///< so much may be said at once
  duration line_cost = std::chrono::seconds{1}; ///< of it; and a hundredth of it for each byte
  std::size_t receive_queue = 8192;             ///< bytes that may wait; more: "Excess Flood"

  std::size_t send_queue = 512 * 1024; ///< bytes; more: the connection ends

  duration registration_time = std::chrono::seconds{30};
  duration ping_after = std::chrono::seconds{90}; ///< of silence
  duration ping_wait = std::chrono::seconds{60};

  std::size_t per_address = 10;         ///< connections at once
  std::size_t connects_per_minute = 60; ///< of one address
  std::size_t most_unregistered = 1000;
  std::size_t channels_per_user = 50;
  std::size_t nick_length = 30;
  std::size_t channel_length = 64;
  std::size_t topic_length = 307;
  std::size_t reason_length = 255; ///< of KICK, PART, QUIT
  std::size_t away_length = 200;
  std::size_t realname_length = 100;
  std::size_t modes_per_command = 4;
  std::size_t bans_per_channel = 100;
  std::size_t targets = 4; ///< of one PRIVMSG

  /// Lines of one answer to CHATHISTORY, for which `server::history_wanted` is overridden; 0: there is no history.
  std::size_t history_limit = 0;
};

} // namespace troupe::irc
