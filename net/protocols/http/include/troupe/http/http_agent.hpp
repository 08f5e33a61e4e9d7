#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/http/http_client_request.hpp>
#include <troupe/http/http_client_response.hpp>
#include <troupe/http/http_cookie_store.hpp>
#include <troupe/http/http_response_parser.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/net/tls_context.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

namespace detail {
class http_multiplexing;
class http_pool;
} // namespace detail

/// A proxy of HTTP, through which an agent sends all that it sends.
struct http_proxy {
  std::shared_ptr<client_endpoint> at{}; ///< how it is reached; none: there is no proxy
  std::string user{};                    ///< empty: it asks for nobody
  std::string password{};
};

/// How an agent goes about it.
struct http_agent_options {
  /// How long it may take until the head of the response is there: waiting for a connection, connecting,
  /// sending, and all redirects. A request with a body of more than 64 KiB, or one that streams, may take
  /// longer while the server goes on taking it. Zero: for ever.
  duration timeout = std::chrono::seconds(30);

  /// How long a server may send nothing of a body that is being read. Zero: for ever.
  duration body_timeout = std::chrono::seconds(60);

  /// How long looking up, connecting and the TLS handshake may take of that.
  duration connect_timeout = std::chrono::seconds(30);

  /// How long a connection is kept that nobody uses.
  duration idle_timeout = std::chrono::seconds(55);

  std::size_t max_per_origin = 6;      ///< connections with requests on them; others wait in order
  std::size_t max_idle_per_origin = 2; ///< connections that are kept; the oldest goes first
  std::size_t max_waiting = 1000;      ///< requests for one origin that wait; more fail at once

  /// How many redirects are followed; 0: none, the response is the redirect.
  std::size_t max_redirects = 20;

  /// Whether a redirect may lead from https to http.
  bool allow_downgrade = false;

  /// Whether it asks for packed bodies (gzip, and brotli if libbrotli is there), and unpacks them.
  bool decode = true;

  std::string user_agent = "troupe"; ///< empty: none

  http_response_limits limits{};

  /// How it speaks TLS: unless set, with the authorities that the system trusts.
  std::optional<tls_client_context> tls{};

  /// Through a proxy, https is tunnelled (CONNECT), so that the proxy reads nothing.
  http_proxy proxy{};

  /// What keeps the cookies that servers set, and gives them to requests; none: there are none. A request that
  /// has a field Cookie is sent with that.
  std::shared_ptr<http_cookie_store> cookies{};

  /// Returns the way to an origin in place of TCP or TLS, which includes TLS where the URL is secure: through
  /// SOCKS, over a UNIX socket, in memory. It may return null: the usual way. Not asked with a proxy.
  std::function<std::shared_ptr<client_endpoint>(const http_url&)> reach{};

  /// What speaks HTTP/2 where the server chooses it: `http2_client()` of the component `http2`; none: HTTP/1.1
  /// everywhere. Requests for an origin then share one connection. A `tls` that is set here, and what `reach`
  /// returns, must offer it (`http2_alpn()`).
  std::shared_ptr<const detail::http_multiplexing> http2{};
};

/// Asks servers over HTTP: keeps connections, follows redirects, unpacks.
///
/// ```cpp
/// troupe::http_agent agent{rt};
/// agent.get("http://localhost:8080/").add_callback([](troupe::http_client_response r) {
///   std::printf("%d\n", r.status());
/// });
/// ```
///
/// **Redirects** (301, 302, 303, 307, 308) are followed as browsers do: 303, and 301 or 302 to a POST, become a
/// GET without body; else method and body stay. One whose body cannot be sent again, one without Location, and
/// one to a POST that asks for another status, are returned as they are. To another origin go no Authorization,
/// Cookie and Host of the request.
///
/// **A connection that was kept may be dead.** If it ends before anything of the response came, a request whose
/// method is idempotent is sent again, once, on a new connection; another one fails with
/// `errc::connection_lost`, and may have been done. What a server of HTTP/2 says it has not begun is sent again,
/// up to three times, whatever its method.
///
/// Dropping an agent closes the connections that are not in use, and fails requests that wait for one with
/// `errc::cancelled`; others go on.
///
/// Thread: that of the loop where it was made, or loop 0 if it is made before `run()`; from elsewhere by
/// `call_from_thread`, or `blocking_call_from_thread`. Source: twisted.web.client.Agent, HTTPConnectionPool,
/// BrowserLikeRedirectAgent, ContentDecoderAgent, ProxyAgent
class http_agent {
public:
  explicit http_agent(runtime& rt, http_agent_options options = {});
  ~http_agent();
  http_agent(http_agent&&) noexcept;
  http_agent& operator=(http_agent&&) noexcept;

  /// Sends a request.
  ///
  /// \returns a deferred of the response, whatever its status. Cancelling it ends the connection, or the
  ///          stream of HTTP/2.
  /// Fails with: what the endpoint says if there is no connection (`errc::connection_refused`,
  /// `unknown_host`, `certificate_refused` and so on); `errc::connection_lost`; `errc::timed_out`;
  /// `errc::malformed_input` if what came is no response; `errc::queue_overflow`; `errc::not_supported` if a
  /// redirect leads from https to http; `errc::invalid_argument` if it leads to no URL, or to too many;
  /// `errc::connect_failed` if a proxy refuses; what a body source fails with
  [[nodiscard]] deferred<http_client_response> request(http_client_request r);

  /// Sends a GET. A URL that is none is a failure here, of std::invalid_argument.
  [[nodiscard]] deferred<http_client_response> get(std::string_view url);

  /// Closes the connections that nobody uses.
  void close_idle();

  /// Returns how many connections nobody uses, and how many are used or being made.
  [[nodiscard]] std::size_t idle_connections() const noexcept;
  [[nodiscard]] std::size_t busy_connections() const noexcept;

private:
  std::shared_ptr<detail::http_pool> pool_;
};

} // namespace troupe
