// Troupe's side of the UDP benchmark: sends each datagram back.

#include <cstdio>
#include <memory>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/net/listen_udp.hpp>

namespace {

class echo : public troupe::datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;
  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    transport().write(data, from);
  }
};

} // namespace

int main() {
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  const auto port = troupe::listen_udp(rt, 0, troupe::datagram_protocol::of<echo>());
  std::printf("listens on %s\n", port.get_host().to_string().c_str());
  std::fflush(stdout);
  rt.run();
}
