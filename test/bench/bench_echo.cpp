// Troupe's side of the echo benchmarks: sends back what it gets. With the argument `policies` it
// does so behind four of them, and with `unix` over UNIX sockets.

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <troupe/net/limit_connections.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/listen_unix.hpp>
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
  const std::string_view how = argc > 1 ? argv[1] : "";
  if (how == "policies")
    f = behind_policies(f);
  std::string where;
  if (how == "unix") {
    where = "@troupe-bench-" + std::to_string(::getpid());
    troupe::listen_unix(rt, where, f, {.backlog = 1000});
    where = "unix:" + where;
  } else {
    where = troupe::listen_tcp(rt, 0, f, {.backlog = 1000}).get_host().to_string();
  }
  std::printf("listens on %s\n", where.c_str());
  std::fflush(stdout);
  rt.run();
}
