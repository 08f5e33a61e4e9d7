// Troupe's side of the echo benchmarks: sends back what it gets.

#include <cstdio>
#include <memory>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/net/listen_tcp.hpp>

namespace {

class echo : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view data) override { transport().write(data); }
};

} // namespace

int main() {
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  const auto port =
    troupe::listen_tcp(rt, 0, troupe::factory::for_protocol<echo>(), {.backlog = 1000});
  std::printf("listens on %s\n", port.get_host().to_string().c_str());
  std::fflush(stdout);
  rt.run();
}
