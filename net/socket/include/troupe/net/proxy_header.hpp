#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <troupe/net/net_address.hpp>

namespace troupe {

/// What a proxy says, in front of all else, of a connection that it relays: the PROXY protocol.
///
/// Source: "The PROXY protocol, versions 1 & 2" of HAProxy (doc/proxy-protocol.txt), section 2
struct proxy_header {
  /// The client, and what it connected to. Both are of kind `none` where the connection is the proxy's
  /// own (LOCAL, as to look whether the server lives), or of a kind that it has no words for (UNKNOWN,
  /// UNSPEC), or not a stream: then the ends are those that the connection has.
  net_address source{};
  net_address destination{};

  /// Tells whether it names the client.
  [[nodiscard]] bool names_client() const noexcept {
    return source.type() != net_address::kind::none;
  }

  friend bool operator==(const proxy_header&, const proxy_header&) = default;
};

/// Writes a header of version 1, a line of text; UNKNOWN unless both are IP addresses of one family.
[[nodiscard]] std::string proxy_header_v1(const proxy_header& header);

/// Writes a header of version 2: LOCAL if it names no client. An IPv4 address beside an IPv6 one is
/// written as a mapped one; addresses that go together in no other way are left out (UNSPEC).
///
/// \param checksum  adds one (CRC32C)
[[nodiscard]] std::string proxy_header_v2(const proxy_header& header, bool checksum = false);

/// What is wrong with a header of the PROXY protocol.
enum class proxy_header_error : std::uint8_t {
  none,
  no_header,     ///< what came begins in no way that a header does
  too_long,      ///< a line of more than 107 bytes, or more than the maximum
  bad_line,      ///< version 1: the line is not as the protocol has it
  bad_version,   ///< version 2: another version
  bad_command,   ///< version 2: neither LOCAL nor PROXY
  bad_family,    ///< version 2: a family or a transport that is none
  too_short,     ///< version 2: shorter than the addresses of its family
  bad_extension, ///< version 2: what follows the addresses (TLV) does not end where the header does
  bad_checksum,  ///< version 2: the checksum is another one
};

/// Returns a phrase such as "no header of the PROXY protocol".
[[nodiscard]] std::string_view to_string(proxy_header_error e) noexcept;

/// Reads the header of the PROXY protocol, version 1 or 2, at the beginning of a stream.
///
/// It takes the header's bytes and none behind them. What cannot become a header is refused as soon as
/// that is seen; a line is looked at when it is whole. Extensions of version 2 are skipped, but a checksum
/// (CRC32C) must be right where the addresses are understood.
///
/// Thread: one at a time.
class proxy_header_parser {
public:
  enum class status : std::uint8_t {
    more,   ///< all of the input is taken, and the header is not whole
    whole,  ///< the header is whole (`header`); nothing is taken from now on
    failed, ///< there is no good header (`error`); nothing is taken from now on
  };

  /// How many bytes a line of version 1 has at most, with its end. Source: 2.1
  static constexpr std::size_t line_length = 107;

  /// \param max_length  how many bytes a header of version 2 may have, 16 to 65551
  explicit proxy_header_parser(std::size_t max_length = 4096) noexcept : max_length_(max_length) {}

  /// Takes from the front of `in` what belongs to the header.
  status next(std::string_view& in);

  [[nodiscard]] const proxy_header& header() const noexcept { return header_; }
  [[nodiscard]] proxy_header_error error() const noexcept { return error_; }

  /// Tells whether nothing has come yet.
  [[nodiscard]] bool is_empty() const noexcept { return held_.empty(); }

private:
  status fail(proxy_header_error e) noexcept;
  void take(std::string_view& in, std::size_t up_to);
  status read_line(std::string_view& in);
  status read_binary(std::string_view& in);
  proxy_header_error parse_line();
  proxy_header_error parse_start();
  proxy_header_error parse_block();
  proxy_header_error check_extensions(std::size_t from);

  std::string held_; // what came of it
  std::size_t max_length_;
  std::size_t length_ = 0; // of a header of version 2, once that is known
  proxy_header header_;
  proxy_header_error error_ = proxy_header_error::none;
  status status_ = status::more;
};

} // namespace troupe
