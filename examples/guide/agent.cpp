// An agent asks web servers: here one in the same process.

#include <cstdio>
#include <string>

#include <troupe/http/http_agent.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/react.hpp>
#include <troupe/runtime/threads.hpp>

using namespace std::chrono_literals;

troupe::deferred<troupe::http_response> echo(troupe::http_request request) {
  const auto text = co_await request.read_all();
  co_return troupe::http_response{201, "got " + std::to_string(text.size()) + " bytes\n"};
}

troupe::factory_ref site() {
  troupe::http_router router;
  router.get("/weather", [](const troupe::http_request&) {
    return troupe::http_response{200, "rain\n"};
  });
  router.get("/forecast", [](const troupe::http_request&) {
    return troupe::http_response::redirect("/weather");
  });
  router.post("/reports", echo);
  return troupe::http_server(router.handler());
}

// [get]
troupe::deferred<void> fetch(troupe::http_agent& agent, std::string url) {
  auto response = co_await agent.get(url); // the head is there
  const auto text = co_await response.read_all(10'000);
  std::printf("%d %s", response.status(), text.c_str());
}
// [/get]

// [post]
troupe::deferred<void> report(troupe::http_agent& agent, std::string url) {
  troupe::http_client_request request{"POST", url};
  request.set("Accept", "text/plain").body(R"({"sky": "grey"})", "application/json");
  auto response = co_await agent.request(std::move(request));
  const auto text = co_await response.read_all(10'000);
  std::printf("%d %s", response.status(), text.c_str());
}
// [/post]

// [failing]
troupe::deferred<void> in_vain(troupe::http_agent& agent, std::string base) {
  auto missing = co_await agent.get(base + "/nothing"); // an answer: no failure
  std::printf("%d\n", missing.status());
  try {
    co_await agent.get("http://127.0.0.1:1/");
  } catch (const std::system_error& e) {
    std::printf("%s\n", e.what());
  }
}
// [/failing]

// [main]
troupe::deferred<void> ask_around(troupe::runtime& rt, std::string base) {
  troupe::http_agent_options options;
  options.timeout = 5s; // for each request, until its head is there
  troupe::http_agent agent{rt, options};
  co_await fetch(agent, base + "/weather");
  co_await fetch(agent, base + "/forecast"); // leads to /weather
  co_await report(agent, base + "/reports");
  co_await in_vain(agent, base);
  std::printf("connections that are kept: %zu\n", agent.idle_connections());
}
// [/main]

// [blocking]
troupe::deferred<std::string> text_of(troupe::http_agent& agent, std::string url) {
  auto response = co_await agent.get(url);
  auto text = co_await response.read_all(10'000);
  co_return text;
}

/// Waits for the answer: for threads that may.
std::string text_for_thread(troupe::runtime& rt, troupe::http_agent& agent,
                            const std::string& url) {
  return troupe::blocking_call_from_thread(rt.reactor(), [&] { return text_of(agent, url); });
}
// [/blocking]

troupe::deferred<void> from_a_thread(troupe::runtime& rt, std::string base) {
  troupe::http_agent agent{rt};
  auto asked = troupe::defer_to_thread(rt.reactor(), [&rt, &agent, url = base + "/weather"] {
    return text_for_thread(rt, agent, url);
  });
  const std::string text = co_await std::move(asked);
  std::printf("a thread was told: %s", text.c_str());
}

int main(int argc, char**) {
  troupe::runtime rt{{.loops = 1}};
  const auto port = troupe::listen_tcp(rt, 0, site());
  const std::string base = "http://" + port.get_host().to_string();
  return troupe::react(rt, [&](troupe::runtime& r) {
    return argc > 1 ? from_a_thread(r, base) : ask_around(r, base);
  });
}
