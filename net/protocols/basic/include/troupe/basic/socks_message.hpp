#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/net/net_address.hpp>

namespace troupe {

/// What a client of SOCKS asks for.
enum class socks_command : std::uint8_t { connect = 1, bind = 2, udp_associate = 3 };

/// What a server of SOCKS answers, by the numbers of version 5; version 4 knows granted and not.
enum class socks_reply : std::uint8_t {
  granted = 0,
  general_failure = 1,
  not_allowed = 2,
  network_unreachable = 3,
  host_unreachable = 4, ///< or its name has no address
  refused = 5,
  timed_out = 6,
  command_not_supported = 7,
  address_not_supported = 8,
};

/// Returns such as "connection refused".
[[nodiscard]] std::string_view to_string(socks_reply r) noexcept;

/// How a client of version 5 says who it is. RFC 1928, section 3
enum class socks_method : std::uint8_t { none = 0, password = 2, unacceptable = 0xff };

/// A request, as a server gets it.
struct socks_request {
  std::uint8_t version = 5; ///< 4 or 5; one of 4a is of version 4, and has the name of a host
  socks_command command = socks_command::connect;
  net_address target; ///< an address, or the name of a host, with a port
  std::string user{}; ///< who the client says that it is, in version 4 or in the login of version 5
};

/// Returns what a server answers: 8 bytes in version 4; in version 5 an address of IPv4 or IPv6.
///
/// \param bound  what the server is connected to, or listens at; else zeros are sent
[[nodiscard]] std::string socks_reply_message(std::uint8_t version, socks_reply r,
                                              const net_address& bound = {});

/// A datagram from a client of version 5, or for one. RFC 1928, section 7
struct socks_datagram {
  net_address address;   ///< where it goes, or came from: in numbers, or the name of a host
  std::string_view data; ///< within what was read
};

/// Reads one; nothing if it is none, or a fragment.
[[nodiscard]] std::optional<socks_datagram> read_socks_datagram(std::string_view in);

/// Writes what stands before the data: 10 bytes for an address of IPv4, 22 for one of IPv6.
///
/// \pre `address` is one of these
void append_socks_datagram_head(std::string& out, const net_address& address);

/// Reads what a client sends, of version 4, 4a or 5, up to and with its request; what follows that is
/// not touched. It holds no more than one message, at most 520 bytes.
///
/// Thread: one at a time. Source: RFC 1928, RFC 1929; SOCKS: A protocol for TCP proxy (version 4), and
/// SOCKS 4A
class socks_server_parser {
public:
  /// How many bytes a user or the name of a host may have.
  static constexpr std::size_t max_text = 255;

  enum class status : std::uint8_t {
    more,        ///< all of the input is taken, and no message is whole
    methods,     ///< the client tells its `methods`: call `choose`
    credentials, ///< it tells `user` and `password`
    request,     ///< it tells its `request`; this is over
    failed,      ///< `error` is to be answered, if there is one; this is over
  };

  /// Takes from the front of `in` up to the end of the next message.
  status next(std::string_view& in);

  /// Says which of the methods the client shall use. \pre `next` has just returned `methods`
  void choose(socks_method m) noexcept;

  /// Returns the methods that the client knows, a byte each.
  [[nodiscard]] const std::string& methods() const noexcept { return text_; }
  [[nodiscard]] bool offers(socks_method m) const noexcept {
    return text_.find(static_cast<char>(m)) != std::string::npos;
  }

  [[nodiscard]] const std::string& user() const noexcept { return request_.user; }
  [[nodiscard]] const std::string& password() const noexcept { return text_; }
  [[nodiscard]] const socks_request& request() const noexcept { return request_; }

  /// Returns which version the client speaks; 0 before the first byte, and if that is none.
  [[nodiscard]] std::uint8_t version() const noexcept { return version_; }

  /// Returns what to answer to what has failed; granted: nothing, as this is no SOCKS.
  [[nodiscard]] socks_reply error() const noexcept { return error_; }

private:
  enum class part : std::uint8_t {
    version,
    head4,
    user4,
    host4,
    methods,
    choice,
    login,
    request,
    over
  };
  enum class text : std::uint8_t { whole, unfinished, too_long };

  bool fill(std::string_view& in, std::size_t size);
  text fill_text(std::string_view& in);
  status fail(socks_reply r);
  status finish();
  status read_head4(std::string_view& in);
  status read_login(std::string_view& in);
  status read_request(std::string_view& in);

  std::string message_; // as far as it came
  std::string text_;
  socks_request request_;
  part part_ = part::version;
  std::uint8_t version_ = 0;
  socks_reply error_ = socks_reply::granted;
};

/// How a client speaks to its server.
struct socks_client_options {
  /// 4 or 5. Version 4 sends names as 4a does, unless `remote_names` is off.
  std::uint8_t version = 5;

  /// Sent in version 4; offered in version 5, with the password, if it is not empty.
  std::string user{};
  std::string password{};

  /// Whether names of hosts are sent to the server, which looks them up.
  bool remote_names = true;
};

/// Says what a client sends, and reads what it is answered, up to and with the reply to its request.
///
/// Thread: one at a time.
class socks_client_parser {
public:
  enum class status : std::uint8_t {
    more,    ///< all of the input is taken, and nothing is to be done
    send,    ///< `to_send` is to be sent
    granted, ///< the connection is there; what follows is the target's
    refused, ///< the server says no: `reply`, and in version 4 its number
    login_failed,
    no_method, ///< the server wants the client to prove who it is in another way
    malformed, ///< this is no SOCKS
  };

  /// \param target  an address of IPv4 or IPv6, or the name of a host
  socks_client_parser(socks_client_options options, net_address target);

  /// Returns what is wrong with what it is to send; nothing if all fits.
  [[nodiscard]] static std::string_view problem(const socks_client_options& o,
                                                const net_address& target);

  /// Returns what is to be sent at first.
  [[nodiscard]] std::string begin();

  /// Takes from the front of `in` up to the end of the next message.
  status next(std::string_view& in);

  [[nodiscard]] const std::string& to_send() const noexcept { return to_send_; }
  [[nodiscard]] socks_reply reply() const noexcept { return reply_; }

  /// Returns the number that the server refused with.
  [[nodiscard]] std::uint8_t number() const noexcept { return number_; }

private:
  enum class part : std::uint8_t { reply4, method, login, reply5, over };

  bool fill(std::string_view& in, std::size_t size);
  status end(status s) noexcept;
  status read_reply5(std::string_view& in);
  [[nodiscard]] std::string request5() const;

  socks_client_options options_;
  net_address target_;
  std::string message_;
  std::string to_send_;
  part part_;
  status result_ = status::more;
  socks_reply reply_ = socks_reply::granted;
  std::uint8_t number_ = 0;
};

} // namespace troupe
