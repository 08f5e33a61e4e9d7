// Troupe's programs for the web benchmarks.
//
//   bench_web frames           sends frames of WebSockets back, unmasked by hand, without the library
//   bench_web room             a room of WebSockets: what one says, all have, who said it too
//   bench_web lines            the same room for lines
//   bench_web agent URL COUNT  asks COUNT times, 64 at a time; prints the microseconds of CPU for each

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/actors/topic.hpp>
#include <troupe/http/http_agent.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/websocket/websocket_acceptor.hpp>
#include <troupe/websocket/websocket_handshake.hpp>

#include "process.hpp"

namespace {

/// Text of less than 126 bytes, each frame in a read of its own: what the load sends.
class frames : public troupe::protocol {
public:
  using protocol::protocol;

  void data_received(troupe::bytes_view data) override {
    const std::string_view text{reinterpret_cast<const char*>(data.data()), data.size()};
    if (!open_)
      return answer(text);
    const auto size = text.size() < 6 ? 0 : static_cast<std::size_t>(text[1] & 0x7f);
    if (text.size() != 6 + size)
      return transport().abort_connection();
    char frame[128] = {text[0], static_cast<char>(size)};
    for (std::size_t i = 0; i < size; ++i)
      frame[2 + i] = static_cast<char>(text[6 + i] ^ text[2 + i % 4]);
    transport().write(std::string_view{frame, 2 + size});
  }

private:
  void answer(std::string_view head) {
    constexpr std::string_view name = "Sec-WebSocket-Key: ";
    const auto at = head.find(name);
    if (at == std::string_view::npos)
      return transport().abort_connection();
    const auto key = head.substr(at + name.size(), head.find('\r', at) - at - name.size());
    transport().write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Accept: "
                      + troupe::websocket_accept_key(key) + "\r\n\r\n");
    open_ = true;
  }

  bool open_ = false;
};

class guest : public troupe::websocket_protocol {
public:
  guest(caf::actor_config& cfg, troupe::topic room)
    : websocket_protocol(cfg), room_(std::move(room)) {}
  void websocket_opened() override { room_.subscribe(this); }
  void text_received(std::string_view text) override { room_.publish(std::string{text}); }

private:
  troupe::topic room_;
};

class talker : public troupe::line_receiver {
public:
  talker(caf::actor_config& cfg, troupe::topic room) : line_receiver(cfg), room_(std::move(room)) {}
  void connection_made() override {
    room_.subscribe(this);
    send_line("hello");
  }
  void line_received(std::string_view line) override { room_.publish(std::string{line} + "\r\n"); }

private:
  troupe::topic room_;
};

int serve(const std::string& what) {
  troupe::runtime rt{{.loops = 1,
                      .logger = std::make_shared<spdlog::logger>(
                        "", std::make_shared<spdlog::sinks::null_sink_mt>())}};
  const troupe::topic room{rt};
  const auto factory = [&]() -> troupe::factory_ref {
    if (what == "frames")
      return troupe::factory::for_protocol<frames>();
    if (what == "lines")
      return troupe::factory::for_protocol<talker>(room);
    troupe::http_router site;
    site.get("/", troupe::websocket_acceptor{}.handler(troupe::build<guest>(room)));
    return troupe::http_server(site.handler());
  };
  std::printf(
    "listens on %s\n",
    troupe::listen_tcp(rt, 0, factory(), {.backlog = 4096}).get_host().to_string().c_str());
  std::fflush(stdout);
  return rt.run().exit_code();
}

struct asking {
  troupe::http_agent& agent;
  std::string url;
  long left; // requests that have not begun
};

/// One request after the other, as long as there are some.
troupe::deferred<void> ask_on(asking& all) {
  while (all.left > 0) {
    --all.left;
    auto answered = all.agent.get(all.url);
    auto response = co_await std::move(answered);
    auto rest = response.read_all();
    const auto body = co_await std::move(rest);
    if (response.status() != 200 || body.size() != 13)
      throw std::runtime_error("this is not the answer");
  }
}

int ask(const std::string& url, long count) {
  troupe::runtime rt{{.loops = 1}};
  auto agent = std::make_unique<troupe::http_agent>(
    rt, troupe::http_agent_options{
          .max_per_origin = 64, .max_idle_per_origin = 64, .decode = false}); // as curl does
  asking all{*agent, url, count};
  int open = 64;
  int status = EXIT_SUCCESS;
  rt.reactor().call_when_running([&] {
    for (int i = open; i > 0; --i)
      ask_on(all)
        .add_errback([&](const troupe::failure& why) {
          std::fprintf(stderr, "bench_web: %s\n", why.message().c_str());
          status = EXIT_FAILURE;
          all.left = 0;
        })
        .add_both([&] {
          if (--open > 0)
            return;
          agent.reset();
          rt.stop();
        });
  });
  const auto before = bench::cpu_ns();
  rt.run();
  std::printf("%.3f\n", (bench::cpu_ns() - before) / 1000 / static_cast<double>(count));
  return status;
}

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "agent" && argc == 4)
    return ask(argv[2], std::atol(argv[3]));
  if (argc == 2 && (what == "frames" || what == "room" || what == "lines"))
    return serve(what);
  std::fprintf(stderr, "usage: bench_web frames | room | lines | agent URL COUNT\n");
  return 2;
}
