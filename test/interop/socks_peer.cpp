// Sends its standard input to where a description says, through servers of SOCKS, and prints what comes,
// for socks_check.py: socks_peer DESCRIPTION

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <troupe/basic/socks_endpoint.hpp>

namespace {

class talk : public troupe::protocol {
public:
  talk(caf::actor_config& cfg, troupe::runtime& rt, std::string say)
    : protocol(cfg), rt_(rt), say_(std::move(say)) {}
  void connection_made() override { transport().write(say_); }
  void data_received(troupe::bytes_view data) override {
    std::fwrite(data.data(), 1, data.size(), stdout);
  }
  void connection_lost(const troupe::failure&) override {
    std::fflush(stdout);
    rt_.stop();
  }

private:
  troupe::runtime& rt_;
  std::string say_;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 2)
    return std::fprintf(stderr, "usage: socks_peer DESCRIPTION\n"), 2;
  troupe::runtime rt{{.loops = 1,
                      .logger = std::make_shared<spdlog::logger>(
                        "socks_peer", std::make_shared<spdlog::sinks::stderr_sink_mt>())}};
  std::string say;
  for (int c; (c = std::getchar()) != EOF;)
    say += static_cast<char>(c);
  int status = EXIT_SUCCESS;
  const auto to = troupe::proxied_client_from_string(rt, argv[1]);
  rt.reactor().call_when_running([&] {
    troupe::connect_protocol<talk>(*to, std::ref(rt), say)
      .add_callbacks([](const troupe::connected_protocol&) {},
                     [&](const troupe::failure& why) {
                       std::fprintf(stderr, "socks_peer: %s\n", why.message().c_str());
                       status = EXIT_FAILURE;
                       rt.stop();
                     });
  });
  rt.run();
  return status;
}
