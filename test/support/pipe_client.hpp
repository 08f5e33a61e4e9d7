#pragma once

#include <string>
#include <string_view>

#include "unique_fd.hpp"

namespace troupe::testing {

/// A plain blocking peer at the other ends of two pipes, as `client` is one of a socket. It waits ten
/// seconds at most for anything, and then throws.
class pipe_client {
public:
  /// \param in, out  what it reads from, and writes to
  pipe_client(troupe::detail::unique_fd in, troupe::detail::unique_fd out)
    : in_(std::move(in)), out_(std::move(out)) {}

  void send(std::string_view data); ///< all of it

  /// Receives exactly `size` bytes.
  std::string receive(std::size_t size);

  /// Receives until the end.
  std::string rest();

  void shut_write() { out_ = {}; }
  void close() {
    in_ = {};
    out_ = {};
  }

private:
  troupe::detail::unique_fd in_;
  troupe::detail::unique_fd out_;
};

} // namespace troupe::testing
