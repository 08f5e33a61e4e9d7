// An agent over real sockets and TLS, whose servers choose HTTP/2, or not.

#include <troupe/http2/http2_client.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <troupe/http/http_router.hpp>
#include <troupe/http2/http2_server.hpp>
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

http_handler site() {
  http_router router;
  router.get("/", [](http_request r) {
    return http_response{200, std::string{r.head().major_version() == 2 ? "two " : "one "}
                                + (r.tls() != nullptr ? "sealed" : "plain")};
  });
  router.post("/sizes", [](http_request r) {
    return r.read_all(10'000'000).add_callback([](const std::string& text) {
      return http_response{200, text + text};
    });
  });
  return router.handler();
}

struct served {
  explicit served(std::vector<std::string> alpn)
    : port(listen_ssl(
      run.rt, 0, http2_server(site()),
      tls_server_context{{.identities = {ca.issue({.names = {"localhost"}})}, .alpn = alpn}})) {
    run.start();
    on_loop(run, [&] {
      http_agent_options o;
      o.http2 = http2_client();
      o.tls.emplace(tls_client_options{.trusted_file = ca.file(), .alpn = http2_alpn()});
      agent = std::make_unique<http_agent>(run.rt, std::move(o));
    });
  }
  ~served() {
    on_loop(run, [&] { agent.reset(); });
  }
  [[nodiscard]] std::string url(const std::string& path) const {
    return "https://localhost:" + std::to_string(port.get_host().port()) + path;
  }

  authority ca;
  running run{2};
  listening_port port;
  std::unique_ptr<http_agent> agent;
};

deferred<std::string> fetch(http_agent& agent, http_client_request r) {
  auto answered = agent.request(std::move(r));
  auto response = co_await std::move(answered);
  auto whole = response.read_all();
  co_return co_await std::move(whole);
}

} // namespace

TEST_CASE("many requests at once share one connection with a server that chooses HTTP/2") {
  served s{http2_alpn()};
  struct counted {
    std::size_t right = 0;
    std::size_t most = 0;
  } got;
  on_loop(s.run, [&] {
    std::vector<deferred<void>> all;
    for (int i = 0; i < 300; ++i)
      all.push_back(fetch(*s.agent, http_client_request{"GET", s.url("/")})
                      .add_callback([&](const std::string& text) {
                        got.right += text == "two sealed" ? 1 : 0;
                        got.most = std::max(got.most, s.agent->busy_connections());
                      }));
    return gather_results(std::move(all));
  });
  CHECK(got.right == 300);
  CHECK(got.most == 1);
}

TEST_CASE("a server that does not choose HTTP/2 is asked over HTTP/1.1") {
  for (const auto& alpn : {std::vector<std::string>{"http/1.1"}, std::vector<std::string>{}}) {
    served s{alpn};
    struct counted {
      std::size_t right = 0;
      std::size_t most = 0;
    } got;
    on_loop(s.run, [&] {
      std::vector<deferred<void>> all;
      for (int i = 0; i < 50; ++i)
        all.push_back(fetch(*s.agent, http_client_request{"GET", s.url("/")})
                        .add_callback([&](const std::string& text) {
                          got.right += text == "one sealed" ? 1 : 0;
                          got.most = std::max(got.most, s.agent->busy_connections());
                        }));
      return gather_results(std::move(all));
    });
    CHECK(got.right == 50);
    CHECK(got.most > 1);
    CHECK(got.most <= 6);
  }
}

TEST_CASE("large bodies go both ways over TLS and HTTP/2") {
  served s{http2_alpn()};
  std::string text;
  for (int i = 0; text.size() < 2'000'000; ++i)
    text += std::to_string(i);
  const auto got = on_loop(s.run, [&] {
    return fetch(*s.agent, http_client_request{"POST", s.url("/sizes")}.body(text, "text/plain"));
  });
  CHECK(got == text + text);
}
