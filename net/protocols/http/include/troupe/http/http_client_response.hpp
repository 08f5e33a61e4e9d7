#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/http/http_response_head.hpp>
#include <troupe/http/http_url.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

namespace detail {
struct http_client_body;
struct http_client_insides;
} // namespace detail

/// What a server has answered: the head is there; the body comes as fast as it is read.
///
/// One that is dropped before the end of its body ends its connection, or its stream of HTTP/2, unless the rest
/// is short enough to be passed over.
///
/// ```cpp
/// troupe::deferred<void> fetch(troupe::http_agent& agent) {
///   auto response = co_await agent.get("https://example.org/");
///   std::puts((co_await response.read_all()).c_str());
/// }
/// ```
///
/// Thread: that of the agent. Source: twisted.web.client.Response
class http_client_response {
public:
  http_client_response(http_client_response&&) noexcept;
  http_client_response& operator=(http_client_response&&) noexcept;
  ~http_client_response();

  [[nodiscard]] const http_response_head& head() const noexcept;
  [[nodiscard]] int status() const noexcept { return head().status(); }
  [[nodiscard]] std::string_view phrase() const noexcept { return head().phrase(); }
  [[nodiscard]] const http_fields& fields() const noexcept { return head().fields(); }
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
    return head().field(name);
  }

  /// Returns the fields that came behind the body; there are some only once that has ended.
  [[nodiscard]] const http_fields& trailers() const noexcept;

  /// Returns where it came from: behind redirects, not where the request was for.
  [[nodiscard]] const http_url& url() const noexcept;

  /// Returns the URLs whose answer was a redirect that led here, the first one first.
  [[nodiscard]] const std::vector<http_url>& redirects() const noexcept;

  /// Tells whether the body comes unpacked: its field Content-Encoding, and a length, are those of what was
  /// sent.
  [[nodiscard]] bool decoded() const noexcept;

  /// Returns the next piece of the body, of up to 64 KiB, and an empty one at its end. The server is not
  /// faster than who reads here. A read that is cancelled takes nothing: the next one gets what came.
  ///
  /// Fails with: `errc::connection_lost` if the body is not whole; `errc::malformed_input` if it is none, or
  /// is not packed as it says; `errc::message_too_long` if it unpacks to more than 1000 times its size;
  /// `errc::timed_out` if the server says nothing for `http_agent_options::body_timeout`
  /// \throws std::logic_error while another read waits
  [[nodiscard]] deferred<std::string> read();

  /// Returns the rest of the body.
  ///
  /// \param limit  how many bytes, unpacked, there may be
  /// Fails with: `errc::message_too_long`; as `read`
  [[nodiscard]] deferred<std::string> read_all(std::size_t limit = 10 * 1024 * 1024);

private:
  friend class http_redirecting;
  friend struct detail::http_client_insides;
  explicit http_client_response(std::shared_ptr<detail::http_client_body> state) noexcept;

  std::shared_ptr<detail::http_client_body> state_;
};

} // namespace troupe
