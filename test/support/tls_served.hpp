#pragma once

#include <cstdint>
#include <utility>

#include <troupe/net/listen_ssl.hpp>

#include "support/puppet.hpp"
#include "support/running.hpp"
#include "support/text.hpp"
#include "support/tls.hpp"

namespace troupe::testing {

/// A server of puppets over TLS.
struct served {
  explicit served(std::size_t loops, tls_server_options o = {}, listen_options options = {})
    : server(loops), tls(with_identity(std::move(o))),
      port(listen_ssl(server.rt, 0, factory::for_protocol<puppet>(&log), tls, options)) {
    server.start();
  }
  [[nodiscard]] std::uint16_t number() const { return port.get_host().port(); }
  [[nodiscard]] tls_client::rules trusting() const {
    return {.trusted = ca.file(), .name = "localhost"};
  }
  tls_server_options with_identity(tls_server_options o) const {
    if (o.identities.empty())
      o.identities.push_back(ca.issue());
    return o;
  }

  authority ca;
  events log;
  running server;
  tls_server_context tls;
  listening_port port;
};

} // namespace troupe::testing
