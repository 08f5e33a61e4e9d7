// Uses the installed library: serves one connection's worth of set-up and stops.

#include <cstdio>

#include <troupe/net/listen_tcp.hpp>

namespace {

class echo : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view data) override { transport().write(data); }
};

} // namespace

int main() {
  troupe::runtime rt{{.loops = 1}};
  const auto port = troupe::listen_tcp(rt, 0, troupe::factory::for_protocol<echo>());
  rt.reactor().call_when_running([&] { rt.stop(); });
  rt.run();
  std::printf("listened on %s\n", port.get_host().to_string().c_str());
  return port.get_host().port() != 0 ? 0 : 1;
}
