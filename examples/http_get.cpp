// Fetches a URL, and prints what comes: redirects are followed, packed bodies unpacked, certificates checked.
//
//   $ build/release/examples/http_get https://www.debian.org/
//   $ build/release/examples/http_get --head --header "Accept: text/html" http://127.0.0.1:8080/
//   $ build/release/examples/http_get --data name=joe http://127.0.0.1:8080/form
//
// What the head says goes to the standard error output with `--verbose`. It ends with 0 if the status is below 400. Servers
// that speak HTTP/2 over TLS are asked so, and without TLS with `--http2`.

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <troupe/http/http_agent.hpp>
#ifdef WITH_HTTP2
#include <troupe/http2/http2_client.hpp>
#include <troupe/http2/http2_server.hpp>
#endif
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/runtime/coroutine.hpp>

#include "command_line.hpp"

namespace {

/// Prints the body as it comes, and returns the exit status.
troupe::deferred<int> fetch(troupe::http_agent& agent, troupe::http_client_request request,
                            bool verbose) {
  auto answered = agent.request(std::move(request));
  auto response = co_await std::move(answered);
  if (verbose) {
    for (const auto& url : response.redirects())
      std::fprintf(stderr, "* from %s\n", url.text().c_str());
    std::fprintf(stderr, "* %s\n< HTTP/%d.%d %d %s\n", response.url().text().c_str(),
                 response.head().major_version(), response.head().minor_version(),
                 response.status(), std::string{response.phrase()}.c_str());
    for (std::size_t i = 0; i < response.fields().size(); ++i)
      std::fprintf(stderr, "< %s: %s\n", std::string{response.fields().name(i)}.c_str(),
                   std::string{response.fields().value(i)}.c_str());
  }
  for (;;) {
    auto next = response.read();
    const auto piece = co_await std::move(next);
    if (piece.empty())
      break;
    std::fwrite(piece.data(), 1, piece.size(), stdout);
  }
  co_return response.status() < 400 ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int argc, char** argv) {
  std::string url;
  std::string method;
  std::string data;
  std::string trust;
  std::string proxy;
  std::vector<std::string> headers;
  bool head = false;
  bool verbose = false;
  bool insecure = false;
  bool http1 = false;
  bool http2 = false;
  std::size_t redirects = 20;
  CLI::App app{"Fetches a URL", "http_get"};
  app.add_option("url", url, "http://... or https://...")->required();
  app.add_option("--request", method, "the method (GET; POST with --data)");
  app.add_flag("--head", head, "asks for the head only");
  app.add_option("--header", headers, "a field, as Name:value; may come several times");
  app.add_option("--data", data, "sends this form");
  app.add_option("--redirects", redirects, "how many are followed (20)");
  app.add_option("--proxy", proxy, "a proxy of HTTP, as HOST:PORT");
  app.add_option("--trust", trust, "the authorities to trust, PEM (those of the system)");
  app.add_flag("--insecure", insecure, "takes any certificate: anybody on the way can read it all");
  app.add_flag("--http1", http1, "asks over HTTP/1.1 alone");
  app.add_flag("--http2", http2, "without TLS asks over HTTP/2 at once");
  app.add_flag("--verbose", verbose, "prints the head, too");
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;

  int status = EXIT_FAILURE;
  troupe::runtime rt{{.loops = 1}};
  try {
    troupe::http_agent_options options;
    options.max_redirects = redirects;
    troupe::tls_client_options tls{.trusted_file = trust, .verify = !insecure};
#ifdef WITH_HTTP2
    if (!http1) {
      tls.alpn = troupe::http2_alpn();
      options.http2 = troupe::http2_client({.prior_knowledge = http2});
    }
#else
    if (http2)
      throw std::invalid_argument("--http2 is not built in: libnghttp2 was not there");
#endif
    options.tls.emplace(tls);
    if (const auto colon = proxy.rfind(':'); !proxy.empty()) {
      const auto at = troupe::http_url::parse("http://" + proxy);
      if (colon == std::string::npos)
        throw std::invalid_argument("--proxy wants HOST:PORT");
      options.proxy.at = std::make_shared<troupe::tcp_client_endpoint>(rt, at.host(), at.port());
    }
    if (method.empty())
      method = head ? "HEAD" : data.empty() ? "GET" : "POST";
    troupe::http_client_request request{method, url};
    for (const auto& h : headers) {
      const auto colon = h.find(':');
      if (colon == std::string::npos)
        throw std::invalid_argument("--header wants Name:value");
      request.add(h.substr(0, colon), h.substr(colon + 1));
    }
    if (!data.empty())
      request.body(data, "application/x-www-form-urlencoded");

    auto agent = std::make_unique<troupe::http_agent>(rt, std::move(options));
    rt.reactor().call_when_running([&] {
      fetch(*agent, std::move(request), verbose)
        .add_callbacks([&](int got) { status = got; },
                       [](const troupe::failure& why) {
                         std::fprintf(stderr, "http_get: %s\n", why.message().c_str());
                       })
        .add_both([&] {
          agent.reset();
          rt.stop();
        });
    });
    const auto exit_code = rt.run().exit_code();
    return exit_code != 0 ? exit_code : status;
  } catch (const std::exception& e) { // an argument makes no sense
    std::fprintf(stderr, "http_get: %s\n", e.what());
    return command_line::wrong_usage;
  }
}
