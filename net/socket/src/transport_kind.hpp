#pragma once

#include <troupe/net/factory.hpp>
#include <troupe/net/transport.hpp>
#include <troupe/runtime/unique_function.hpp>

#include "connection_ends.hpp"
#include "unique_fd.hpp"

namespace troupe::detail {

/// What becomes of a socket once it is connected: which transport carries a protocol over it. A port
/// has one for the connections it accepts, a connector for those it makes.
///
/// Thread: any; it does not change.
class transport_kind {
public:
  /// Told once how opening went: nothing, or why it failed.
  using opened = unique_function<void(const failure*)>;

  virtual ~transport_kind() = default;

  /// Names it in logs, as endpoint strings do: "tcp", "ssl", "unix".
  [[nodiscard]] virtual const char* scheme() const noexcept = 0;

  /// Makes the transport of `fd` and connects `p` to it: at once, or, where the two ends must agree
  /// first (TLS), later. If nothing comes of that, `p` has no `connection_made`, and is ended with
  /// the reason. `told` is called in the thread of `where`, possibly within this call, and after
  /// `connection_made`.
  ///
  /// Thread: that of `where`, which is the loop of `p`.
  virtual void open(event_loop& where, unique_fd fd, const connection_ends& ends,
                    const protocol_ptr& p, opened told) const = 0;
};

class stream_socket;

/// Plain TCP.
class tcp_kind : public transport_kind {
public:
  tcp_kind(bool no_delay, bool keep_alive, const output_limits& output)
    : no_delay_(no_delay), keep_alive_(keep_alive), output_(output) {}

  [[nodiscard]] const char* scheme() const noexcept override { return "tcp"; }

  void open(event_loop& where, unique_fd fd, const connection_ends& ends, const protocol_ptr& p,
            opened told) const override;

protected:
  /// Makes the transport; or returns null, and has ended `p` and told why.
  stream_socket* make(event_loop& where, unique_fd fd, const connection_ends& ends,
                      const protocol_ptr& p, opened& told) const;

private:
  const bool no_delay_;
  const bool keep_alive_;
  const output_limits output_;
};

/// A UNIX socket.
class unix_kind final : public transport_kind {
public:
  explicit unix_kind(const output_limits& output) : output_(output) {}

  [[nodiscard]] const char* scheme() const noexcept override { return "unix"; }

  void open(event_loop& where, unique_fd fd, const connection_ends& ends, const protocol_ptr& p,
            opened told) const override;

private:
  const output_limits output_;
};

} // namespace troupe::detail
