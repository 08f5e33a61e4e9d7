// A look into a running process: as data, and as a page for browsers.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/http/http_agent.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/observer.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/observer_page/observer_page.hpp>
#include <troupe/runtime/react.hpp>

#include "chat3/chat.hpp"

/// Goes into the lobby, and tells when it is there.
class user : public troupe::text_line_receiver {
public:
  user(caf::actor_config& cfg, std::shared_ptr<troupe::promise<void>> there)
    : text_line_receiver(cfg), there_(std::move(there)) {}
  void line_received(std::string_view line) override {
    if (line == "What's your name?")
      send_line("ann");
    else if (line == "You are in lobby.")
      there_->callback();
  }

private:
  const std::shared_ptr<troupe::promise<void>> there_;
};

// [look]
troupe::deferred<void> look(troupe::observer seen) {
  auto connections = co_await seen.connections();
  std::ranges::sort(connections.all, {}, &troupe::observed_connection::protocol);
  for (const auto& c : connections.all)
    std::printf("%s: %zu bytes written, %zu unsent\n", c.protocol.c_str(),
                static_cast<std::size_t>(c.bytes_written), c.unsent);
  for (const auto& t : seen.topics())
    std::printf("topic %s: %zu subscribers\n", t.name.c_str(), t.subscribers);
  const auto trees = co_await seen.supervisors();
  for (const auto& root : trees.all)
    for (const auto& child : root.children)
      std::printf("%s/%s: %zu restarts\n", root.id.c_str(), child.id.c_str(),
                  static_cast<std::size_t>(child.restarts));
}
// [/look]

// [page]
troupe::listening_port show(troupe::runtime& rt, const troupe::observer& seen,
                            const std::string& token) {
  return troupe::listen_tcp(rt, 0, troupe::observer_page(seen, {.token = token, .name = "chat"}));
}
// [/page]

// [ask]
troupe::deferred<void> ask_it(troupe::runtime& rt, std::string url, std::string token) {
  troupe::http_agent agent{rt};
  auto page = co_await agent.get(url); // the same for everybody: it shows nothing by itself
  auto refused = co_await agent.get(url + "events");
  troupe::http_client_request request{"GET", url + "events"};
  request.set("Authorization", "Bearer " + token);
  auto stream = co_await agent.request(std::move(request));
  std::printf("the page %d, what it shows %d, and with the token %d\n", page.status(),
              refused.status(), stream.status());
}
// [/ask]

troupe::deferred<void> program(troupe::runtime& rt) {
  const troupe::topics rooms{rt};
  auto started = troupe::root_supervisor(rt)->start_child(
    {.id = "users", .start = troupe::start_actor<registry>(), .name = "users"});
  co_await std::move(started);
  const auto port =
    troupe::listen_tcp(rt, 0, troupe::factory::for_protocol<chat>(rt.names().get("users"), rooms));
  troupe::observer seen{rt};
  seen.add_topics("rooms", rooms);
  troupe::tcp_client_endpoint endpoint{rt, "127.0.0.1", port.get_host().port()};
  const auto there = std::make_shared<troupe::promise<void>>();
  auto in_the_lobby = there->get_deferred();
  auto connected = troupe::connect_protocol<user>(endpoint, there);
  co_await std::move(connected);
  co_await std::move(in_the_lobby);
  co_await look(seen);

  const auto token = troupe::observer_token();
  const auto shown = show(rt, seen, token);
  co_await ask_it(rt, "http://" + shown.get_host().to_string() + "/", token);
}

int main() {
  troupe::runtime rt{{.loops = 1}};
  return troupe::react(rt, program);
}
