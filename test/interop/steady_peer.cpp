// Keeps a connection on which each end speaks all the time, and says what becomes of it, for
// networks_check.py: steady_peer service|factory HOST PORT
//
// It waits a second to be connected, a second for the peer to say something, and 50 ms to try again.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>

#include <troupe/net/client_service.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/net/timeout_mixin.hpp>

using namespace std::chrono_literals;

namespace {

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

class talker : public troupe::timeout_mixin<> {
public:
  using timeout_mixin::timeout_mixin;

  void connection_made() override {
    set_timeout(1s);
    transport().write("?");
  }

  void data_received(troupe::bytes_view) override {
    reset_timeout();
    if (!std::exchange(answered_, true))
      say("answered");
    call_later(50ms, [this] {
      if (connected())
        transport().write("?");
    });
  }

  void connection_lost(const troupe::failure& why) override { say("lost: " + why.message()); }

private:
  bool answered_ = false;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 4)
    return std::fprintf(stderr, "usage: steady_peer service|factory HOST PORT\n"), 2;
  const std::string host = argv[2];
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[3]));
  troupe::runtime rt{{.loops = 1, .logger = spdlog::stderr_logger_mt("steady_peer")}};
  const troupe::connect_options connecting{.timeout = 1s};
  std::optional<troupe::client_service> service;
  if (argv[1] == std::string("service")) {
    troupe::client_service_options options;
    options.retry = [](std::size_t) {
      return troupe::duration{50ms};
    };
    service.emplace(rt, std::make_shared<troupe::tcp_client_endpoint>(rt, host, port, connecting),
                    troupe::factory::for_protocol<talker>(), options);
    (void)service->start_service();
  } else {
    troupe::connect_tcp(
      rt, host, port,
      troupe::reconnecting_client_factory::for_protocol<talker>({.initial = 50ms, .max = 50ms}),
      connecting);
  }
  rt.run();
  return EXIT_SUCCESS;
}
