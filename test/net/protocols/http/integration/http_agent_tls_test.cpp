// The agent over real sockets and TLS, beside our own server.

#include <troupe/http/http_agent.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred_list.hpp>

#include "support/catch.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"
#include "support/tls.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

deferred<std::string> fetch(http_agent& agent, std::string url) {
  auto answered = agent.get(url);
  auto response = co_await std::move(answered);
  auto whole = response.read_all();
  auto body = co_await std::move(whole);
  co_return std::to_string(response.status()) + ' ' + body;
}

http_handler site() {
  http_router router;
  router.get("/", [](http_request r) {
    return http_response{200, r.tls() != nullptr ? "sealed" : "plain"};
  });
  router.get("/large", [](http_request) {
    return http_response{200, std::string(3'000'000, 'x')};
  });
  router.get("/away", [](http_request) { return http_response::redirect("/"); });
  return router.handler();
}

struct secured {
  explicit secured(const std::string& name = "localhost")
    : port(listen_ssl(run.rt, 0, http_server(site()),
                      tls_server_context{{.identities = {ca.issue({.names = {name}})}}})) {
    run.start();
  }
  // An agent that is used and ended on its loop.
  std::string fetch_with(http_agent_options o, const std::string& path) {
    const auto url = "https://localhost:" + std::to_string(port.get_host().port()) + path;
    std::unique_ptr<http_agent> agent;
    const auto text = on_loop(run, [&] {
      agent = std::make_unique<http_agent>(run.rt, std::move(o));
      return fetch(*agent, url).add_errback([](const failure& why) {
        return std::string{why.check(errc::certificate_refused) ? "refused: " : "failed: "}
               + why.message();
      });
    });
    on_loop(run, [&] { agent.reset(); });
    return text;
  }
  [[nodiscard]] http_agent_options trusting() const {
    http_agent_options o;
    o.tls.emplace(tls_client_options{.trusted_file = ca.file()});
    return o;
  }

  authority ca;
  running run{2};
  listening_port port;
};

} // namespace

TEST_CASE("an agent speaks TLS with whom it trusts, and with nobody else") {
  secured s;
  CHECK(s.fetch_with(s.trusting(), "/") == "200 sealed");
  CHECK(s.fetch_with(s.trusting(), "/away") == "200 sealed");
  CHECK(s.fetch_with(s.trusting(), "/large").size() == 3'000'004);
  const auto refused = s.fetch_with({}, "/");
  CAPTURE(refused);
  CHECK(refused.starts_with("refused: "));
  secured other{"elsewhere"};
  CHECK(other.fetch_with(other.trusting(), "/").starts_with("refused: "));
}

TEST_CASE("many requests at once share few connections") {
  secured s;
  std::unique_ptr<http_agent> agent;
  const auto url = "https://localhost:" + std::to_string(s.port.get_host().port()) + "/";
  struct counted {
    std::size_t right = 0;
    std::size_t most = 0;
  } got;
  on_loop(s.run, [&] {
    agent = std::make_unique<http_agent>(s.run.rt, s.trusting());
    std::vector<deferred<void>> all;
    for (int i = 0; i < 300; ++i)
      all.push_back(fetch(*agent, url).add_callback([&](const std::string& text) {
        got.right += text == "200 sealed" ? 1 : 0;
        got.most = std::max(got.most, agent->busy_connections());
      }));
    return gather_results(std::move(all));
  });
  CHECK(got.right == 300);
  CHECK(got.most <= 6);
  on_loop(s.run, [&] { agent.reset(); });
}
