// Receives framed strings and sends them back, or sends some and compares what comes back, for
// framing_check.py: framing_peer serve|ask int8|int16|int32|netstring [PORT]

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <troupe/basic/int_n_receiver.hpp>
#include <troupe/basic/netstring_receiver.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/listen_tcp.hpp>

namespace {

template <class R>
class echo : public R {
public:
  using R::R;
  void string_received(std::string_view string) override { this->send_string(string); }
};

// Sends strings of many sizes, all at once, and compares.
template <class R>
class ask : public R {
public:
  ask(caf::actor_config& cfg, troupe::runtime& rt) : R(cfg), rt_(rt) {
    for (const std::size_t size : {0, 1, 255, 0, 256, 10'000, 65'535, 99'999})
      if (size <= this->max_sent())
        due_.push_back(std::string(size, static_cast<char>(size)));
  }
  void connection_made() override {
    for (const auto& string : due_)
      this->send_string(string);
  }
  void string_received(std::string_view string) override {
    if (string != due_[got_])
      return this->transport().abort_connection();
    if (++got_ == due_.size())
      this->transport().lose_connection();
  }
  void connection_lost(const troupe::failure& why) override {
    std::printf("%s %zu of %zu\n", why.check(troupe::errc::connection_done) ? "ok" : "lost", got_,
                due_.size());
    rt_.stop();
  }

private:
  troupe::runtime& rt_;
  std::vector<std::string> due_;
  std::size_t got_ = 0;
};

template <class R>
void run(troupe::runtime& rt, bool serve, std::uint16_t port) {
  if (serve) {
    const auto p = troupe::listen_tcp(rt, port, troupe::factory::for_protocol<echo<R>>());
    std::printf("%d\n", p.get_host().port());
  } else {
    troupe::connect_tcp(rt, "127.0.0.1", port,
                        troupe::client_factory::for_protocol<ask<R>>(std::ref(rt)));
  }
  std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3)
    return std::fprintf(stderr, "usage: framing_peer serve|ask KIND [PORT]\n"), 2;
  troupe::runtime rt{{.loops = 1,
                      .logger = std::make_shared<spdlog::logger>(
                        "framing_peer", std::make_shared<spdlog::sinks::stderr_sink_mt>())}};
  const bool serve = std::string{argv[1]} == "serve";
  const std::string kind = argv[2];
  const auto port = static_cast<std::uint16_t>(argc > 3 ? std::atoi(argv[3]) : 0);
  if (kind == "int8")
    run<troupe::int8_receiver>(rt, serve, port);
  else if (kind == "int16")
    run<troupe::int16_receiver>(rt, serve, port);
  else if (kind == "int32")
    run<troupe::int32_receiver>(rt, serve, port);
  else
    run<troupe::netstring_receiver>(rt, serve, port);
  return rt.run().exit_code();
}
