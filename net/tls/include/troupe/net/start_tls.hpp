#pragma once

#include <string>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/tls_context.hpp>
#include <troupe/net/transport.hpp>

namespace troupe {

/// Goes on with TLS on a connection that is plain so far, as its server.
///
/// What was written before is sent as it is; what is written from now on waits for the handshake,
/// and is sealed. What comes from now on is the handshake's, and then the protocol's again. If the
/// handshake fails, or takes too long, `connection_lost` says why. `transport::tls` tells whether it
/// is done, and `handshake_listener` when.
///
/// The trap: whoever sits on the way can put plain text behind the command that starts TLS, in the
/// same packet. A protocol that keeps it, and takes it for input after the handshake, takes an
/// attacker's words for its peer's (CVE-2011-0411). So all that came and is not used yet must go
/// into `received`: it becomes the beginning of the handshake, and plain text fails that.
///
/// ```cpp
/// void data_received(troupe::bytes_view data) override { // a protocol without lines
///   if (data.front() == start)
///     troupe::start_tls(transport(), tls_, data.subspan(1));
/// }
/// ```
///
/// \param received  what came behind the peer's consent, if any; copied
/// \throws std::logic_error if the connection speaks TLS already, or is not one of the system's
/// Thread: the protocol's. On a connection that has ended or is about to, it does nothing.
/// Source: twisted.internet.interfaces.ITLSTransport.startTLS
void start_tls(transport& t, const tls_server_context& tls, bytes_view received);

/// As above, as the client.
///
/// \param host  whom to ask for and to verify, unless the context has a name
void start_tls(transport& t, const tls_client_context& tls, const std::string& host,
               bytes_view received);

/// As above, for a protocol of lines: what is in its buffer, behind the present line, belongs to the
/// handshake.
///
/// ```cpp
/// void line_received(std::string_view line) override {
///   if (line == "STARTTLS") {
///     send_line("220 go ahead");
///     troupe::start_tls(*this, tls_);
///   }
/// }
/// ```
void start_tls(line_receiver& p, const tls_server_context& tls);
void start_tls(line_receiver& p, const tls_client_context& tls, const std::string& host);

/// Implemented by a protocol that is to hear when the handshake that `start_tls` began is done.
///
/// Source: twisted.internet.interfaces.IHandshakeListener
class handshake_listener {
public:
  virtual ~handshake_listener() = default;

  /// `transport().tls()` tells whom it was with. Called before anything that came sealed.
  virtual void handshake_completed() = 0;
};

} // namespace troupe
