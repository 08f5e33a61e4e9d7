// Troupe's side of the TLS echo benchmarks: sends back what it gets, sealed.

#include <cstdio>
#include <memory>
#include <optional>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/net/listen_ssl.hpp>

#include "tls_identity.hpp"

namespace {

class echo : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view data) override { transport().write(data); }
};

troupe::tls_server_context context() {
  const bench::identity_file identity;
  return troupe::tls_server_context{{.identities = {{.certificate_file = identity.path()}}}};
}

} // namespace

int main() {
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  const auto port =
    troupe::listen_ssl(rt, 0, troupe::factory::for_protocol<echo>(), context(), {.backlog = 1000});
  std::printf("listens on %s\n", port.get_host().to_string().c_str());
  std::fflush(stdout);
  rt.run();
}
