// Troupe's side of the benchmarks of IRC: a server with the limits of the others off.

#include <cstdio>
#include <memory>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/irc/server.hpp>
#include <troupe/net/listen_tcp.hpp>

int main() {
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  constexpr std::size_t many = 1'000'000;
  const auto server =
    std::make_shared<troupe::irc::server>(troupe::irc::server_options{.name = "irc.example",
                                                                      .flood_control = false,
                                                                      .per_address = many,
                                                                      .connects_per_minute = many});
  troupe::listen_options options;
  options.backlog = 1000;
  options.placement = troupe::placement::same_loop;
  const auto where =
    troupe::listen_tcp(rt, 0, server->make_factory(), options).get_host().to_string();
  std::printf("listens on %s\n", where.c_str());
  std::fflush(stdout);
  rt.run();
}
