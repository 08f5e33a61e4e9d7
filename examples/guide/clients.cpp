// Connecting: once, in vain, and for as long as the program runs.

#include <cstdio>
#include <string>

#include <troupe/net/client_service.hpp>
#include <troupe/net/endpoint_string.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/react.hpp>

using namespace std::chrono_literals;
using troupe::deferred;

// [server]
class shout : public troupe::text_line_receiver {
public:
  using text_line_receiver::text_line_receiver;
  void line_received(std::string_view line) override { send_line(std::string{line} + "!"); }
};
// [/server]

// [client]
/// Sends a line, and gives its answer to whoever waits.
class asker : public troupe::text_line_receiver {
public:
  using text_line_receiver::text_line_receiver;

  deferred<std::string> ask(const std::string& line) {
    send_line(line);
    answer_ = troupe::promise<std::string>{};
    return answer_.get_deferred();
  }

  void line_received(std::string_view line) override { answer_.callback(std::string{line}); }

  void connection_lost(const troupe::failure& why) override {
    if (!answer_.called())
      answer_.errback(why);
  }

private:
  troupe::promise<std::string> answer_;
};
// [/client]

// [once]
deferred<void> once(troupe::runtime& rt, std::string server) {
  const auto endpoint = troupe::client_from_string(rt, server);
  const auto connection = co_await troupe::connect_protocol<asker>(*endpoint);
  auto& p = *connection.local<asker>(); // it lives on our loop
  const std::string answer = co_await p.ask("hello");
  std::printf("%s\n", answer.c_str());
  p.transport().lose_connection();
}
// [/once]

// [refused]
deferred<void> refused(troupe::runtime& rt) {
  const auto endpoint = troupe::client_from_string(rt, "tcp:127.0.0.1:1:timeout=3");
  try {
    co_await troupe::connect_protocol<asker>(*endpoint);
  } catch (const std::system_error& e) {
    std::printf("%s: %s\n", e.code() == troupe::errc::connection_refused ? "nobody listens" : "?",
                e.what());
  }
  try {
    const auto wrong = troupe::client_from_string(rt, "tcp:localhost:port=http-ish");
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
  }
}
// [/refused]

// [service]
/// Asks over the present connection, and over the next one if it is lost meanwhile.
deferred<std::string> ask_until_answered(troupe::runtime& rt, troupe::client_service& service,
                                         std::string line) {
  for (;;) {
    const auto connection = co_await service.when_connected();
    if (auto* const p = connection.local<asker>()) // null if it has ended in this moment
      try {
        const std::string answer = co_await p->ask(line);
        co_return answer;
      } catch (const std::system_error&) { // lost before the answer came
      }
    co_await troupe::defer_later(rt.reactor(), 10ms);
  }
}

deferred<void> for_ever(troupe::runtime& rt, std::string server) {
  troupe::client_service service{rt,
                                 troupe::client_from_string(rt, server),
                                 troupe::factory::for_protocol<asker>(),
                                 {.retry = [](std::size_t) {
                                   return 50ms;
                                 }}};
  co_await service.start_service();
  for (const std::string question : {"one", "two"}) {
    const std::string answer = co_await ask_until_answered(rt, service, question);
    std::printf("%s\n", answer.c_str());
    const auto connection = co_await service.when_connected();
    connection.lose_connection(); // as if the network had: the service connects again
  }
  co_await service.stop_service();
}
// [/service]

int main(int, char** argv) {
  const std::string what = argv[1];
  troupe::runtime rt{{.loops = 1}};
  if (what == "refused")
    return troupe::react(rt, refused);
  const auto port = troupe::listen_tcp(rt, 0, troupe::factory::for_protocol<shout>());
  const auto server = "tcp:127.0.0.1:" + std::to_string(port.get_host().port());
  return troupe::react(
    rt, [&](troupe::runtime& r) { return what == "once" ? once(r, server) : for_ever(r, server); });
}
