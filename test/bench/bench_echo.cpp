// Troupe's side of the echo benchmarks: sends back what it gets. With the argument `policies` it
// does so behind four of them.

#include <cstdio>
#include <memory>
#include <string_view>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/net/limit_connections.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/throttling_factory.hpp>
#include <troupe/net/timeout_factory.hpp>

namespace {

class echo : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view data) override { transport().write(data); }
};

troupe::factory_ref behind_policies(troupe::factory_ref f) {
  using troupe::factory;
  f = factory::of<troupe::timeout_factory>(f);
  f = factory::of<troupe::throttling_factory>(
    f, troupe::throttle_limits{.read = SIZE_MAX, .write = SIZE_MAX});
  f = factory::of<troupe::limit_connections_by_peer_factory>(f, 100'000u);
  return factory::of<troupe::limit_total_connections_factory>(f, 100'000u);
}

} // namespace

int main(int argc, char** argv) {
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  auto f = troupe::factory::for_protocol<echo>();
  if (argc > 1 && std::string_view{argv[1]} == "policies")
    f = behind_policies(f);
  const auto port = troupe::listen_tcp(rt, 0, f, {.backlog = 1000});
  std::printf("listens on %s\n", port.get_host().to_string().c_str());
  std::fflush(stdout);
  rt.run();
}
