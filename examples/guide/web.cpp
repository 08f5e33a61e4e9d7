// A web page, and a way into the chat for programs elsewhere.

#include <cstdio>
#include <string>
#include <utility>

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/http/http_status.hpp>
#include <troupe/testing/memory_network.hpp>

#include "chat3/chat.hpp"

// [handler]
/// Says the body of a request in a room.
troupe::deferred<troupe::http_response> announce(troupe::http_request request,
                                                 troupe::topics rooms) {
  const auto text = co_await request.read_all(1000); // a longer one is answered with 413
  const auto room = rooms.find(request.parameter("name"));
  if (!room)
    throw troupe::http_error(404, "nobody is in that room\n");
  room.publish("* " + troupe::printable(text) + "\r\n");
  co_return troupe::http_response{200, "said\n"};
}
// [/handler]

// [site]
troupe::factory_ref site(const troupe::topics& rooms) {
  troupe::http_router router;
  router.get("/", [](const troupe::http_request&) {
    return troupe::http_response::html("<h1>The chat</h1>\n");
  });
  router.post("/rooms/{name}", [rooms](troupe::http_request request) {
    return announce(std::move(request), rooms);
  });
  return troupe::http_server(router.handler());
}
// [/site]

class user : public troupe::text_line_receiver {
public:
  using text_line_receiver::text_line_receiver;
  void line_received(std::string_view line) override {
    std::printf("ann reads  %s\n", std::string{line}.c_str());
  }
};

/// Prints the status and the body of a response.
class browser : public troupe::text_line_receiver {
public:
  using text_line_receiver::text_line_receiver;
  void line_received(std::string_view line) override {
    if (line.starts_with("HTTP/1.1 ") || in_body_)
      std::printf("  %s\n", std::string{line}.c_str());
    in_body_ = in_body_ || line.empty();
  }

private:
  bool in_body_ = false;
};

int main() {
  troupe::testing::memory_network net;
  const troupe::topics rooms{net.rt};
  (void)net.rt.names().put("users", net.rt.spawn<registry>());
  net.listen(8123, troupe::factory::for_protocol<chat>(net.rt.names().get("users"), rooms));
  net.listen(8080, site(rooms));

  auto& ann = net.connect<user>(8123);
  net.enter(ann, [&] { ann.send_line("ann"); });
  net.flush();
  const auto asks = [&](const std::string& what, const std::string& body) {
    std::printf("%s%s%s\n", what.c_str(), body.empty() ? "" : ": ", body.c_str());
    auto& client = net.connect<browser>(8080);
    net.enter(client, [&] {
      client.transport().write(what + " HTTP/1.1\r\nHost: chat\r\nContent-Length: "
                               + std::to_string(body.size()) + "\r\n\r\n" + body);
    });
    net.flush();
  };
  asks("GET /", "");
  asks("POST /rooms/lobby", "the build is green");
  asks("POST /rooms/garden", "is anybody there?");
  asks("DELETE /rooms/lobby", "");
}
