// Troupe's side of the benchmarks of protocols: bench_protocols forward PORT | socks | netstring | int32

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/basic/int_n_receiver.hpp>
#include <troupe/basic/netstring_receiver.hpp>
#include <troupe/basic/proxy_factory.hpp>
#include <troupe/basic/socks_server.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/tcp_endpoint.hpp>

namespace {

template <class Receiver>
class string_echo : public Receiver {
public:
  using Receiver::Receiver;
  void string_received(std::string_view string) override { this->send_string(string); }
};

} // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  using troupe::factory;
  const auto made = [&]() -> troupe::factory_ref {
    if (what == "forward" && argc > 2)
      return factory::of<troupe::proxy_factory>(std::make_shared<troupe::tcp_client_endpoint>(
        rt, "127.0.0.1", static_cast<std::uint16_t>(std::atoi(argv[2]))));
    if (what == "socks")
      return factory::of<troupe::socks_server_factory>(std::ref(rt));
    if (what == "netstring")
      return factory::for_protocol<string_echo<troupe::netstring_receiver>>();
    if (what == "int32")
      return factory::for_protocol<string_echo<troupe::int32_receiver>>();
    std::fprintf(stderr, "bench_protocols forward PORT | socks | netstring | int32\n");
    std::exit(2);
  }();
  troupe::listen_options options;
  options.backlog = 1000;
  const auto where = troupe::listen_tcp(rt, 0, made, options).get_host().to_string();
  std::printf("listens on %s\n", where.c_str());
  std::fflush(stdout);
  rt.run();
}
