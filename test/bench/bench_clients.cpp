// Outgoing connections, opened a hundred at a time, all kept, then all closed: bench_clients crowd [COUNT]
// Prints connections for each second, and for each second of CPU.

#include <vector>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/net/connect_tcp.hpp>

#include "crowd_server.hpp"
#include "process.hpp"

namespace {

class held : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view) override {}
};

/// Keeps every connection until there are enough, and then closes them.
class crowd : public troupe::client_factory {
public:
  crowd(caf::actor_config& cfg, troupe::runtime* rt, std::uint16_t port, int count)
    : client_factory(cfg), rt_(*rt), port_(port), count_(count) {
    noisy = false;
  }

  void begin(const troupe::client_factory_ref& self) {
    self_ = &self;
    for (int i = 0; i < std::min(count_, 100); ++i)
      more();
  }

  troupe::protocol_ptr build_protocol(const troupe::net_address&) override {
    return make_protocol<held>();
  }

  void client_connection_made(troupe::connector&, const troupe::protocol_ptr&) override {
    if (begun_ < count_)
      more();
    if (++open_ == count_)
      for (auto& c : all_)
        c.disconnect();
  }

  void client_connection_failed(troupe::connector&, const troupe::failure& why) override {
    std::fprintf(stderr, "%s\n", why.message().c_str());
    std::exit(1);
  }

  void client_connection_lost(troupe::connector&, const troupe::failure&) override {
    if (++closed_ == count_)
      rt_.stop();
  }

private:
  void more() {
    ++begun_;
    all_.push_back(troupe::connect_tcp(rt_, "127.0.0.1", port_, *self_));
  }

  troupe::runtime& rt_;
  const std::uint16_t port_;
  const int count_;
  const troupe::client_factory_ref* self_ = nullptr;
  std::vector<troupe::connector> all_;
  int begun_ = 0;
  int open_ = 0;
  int closed_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  const int count = bench::count_of(argc, argv, 10'000);
  bench::crowd_server peer{count};
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  const auto factory = troupe::client_factory::of<crowd>(&rt, peer.port(), count);
  const bench::stopwatch watch;
  rt.reactor().call_when_running([&] {
    static_cast<crowd&>(factory.start(rt.system(), rt.scheduler().loop(0))).begin(factory);
  });
  rt.run();
  watch.print(count);
  return peer.wait() ? 0 : 1;
}
