// Troupe's side of the line benchmark: takes lines apart, and sends each back.

#include <cstdio>
#include <memory>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/listen_tcp.hpp>

namespace {

class echo : public troupe::line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view line) override { send_line(line); }
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
