#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace troupe {

/// Reports a line that is none of inetd's configuration. Source: InvalidServicesConfError and kin of
/// twisted.runner.inetdconf
class inetd_syntax_error : public std::invalid_argument {
public:
  inetd_syntax_error(std::size_t line, const std::string& text)
    : std::invalid_argument("line " + std::to_string(line) + ": " + text), line_(line) {}
  [[nodiscard]] std::size_t line() const noexcept { return line_; }

private:
  std::size_t line_;
};

/// A service that inetd offers.
struct inetd_service {
  std::string name;       ///< in the table of services; "unknown" where the line gives a number
  std::uint16_t port = 0; ///< 0 takes a free one
  bool datagrams = false; ///< over UDP; else over TCP
  uid_t uid = 0;          ///< who its program runs as
  gid_t gid = 0;
  std::string internal{};           ///< the name of the internal service; empty: `program`
  std::string program{};            ///< a path
  std::vector<std::string> args{};  ///< of the program, with the name that it sees as its own first
  std::size_t max_per_minute = 256; ///< how often it may be started
};

/// What a file of configuration says.
struct inetd_config {
  std::vector<inetd_service> services;

  /// What was passed over, and why: "line 7: Unknown user: nobody2".
  std::vector<std::string> skipped;

  /// Reads the lines of a file. Each is: service, type of socket, protocol, `wait` or `nowait`, user,
  /// program, arguments; separated by white space, `#` begins a comment.
  ///
  /// The service is a name in the system's table of services, or the number of a port. With `nowait.10`
  /// it may be started 10 times a minute. The user may be `user.group` or `user:group`; either may be a
  /// number. The program `internal` is one of echo, discard, chargen, daytime and time, by the name of the
  /// service or by the word behind it.
  ///
  /// Passed over are: unknown services, users, groups and internal services; programs that take datagrams
  /// or wait for connections themselves; `rpc/...`, UNIX sockets, and all other kinds.
  ///
  /// \param internal  whether there are internal services
  /// \throws inetd_syntax_error "line 3: Invalid line: '...'" if one has fewer than six fields
  /// Source: twisted.runner.inetdconf.InetdConf
  [[nodiscard]] static inetd_config parse(std::string_view text, bool internal = true);
};

} // namespace troupe
