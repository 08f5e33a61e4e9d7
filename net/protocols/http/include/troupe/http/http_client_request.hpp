#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/http/http_response.hpp>
#include <troupe/http/http_url.hpp>

namespace troupe {

namespace detail {
struct http_client_insides;
}

/// What a client asks: a method, a URL, fields and a body.
///
/// ```cpp
/// troupe::http_client_request{"GET", "https://example.org/"}.set("Accept", "text/html");
/// troupe::http_client_request{"POST", url}.body(text, "application/json");
/// ```
///
/// The agent adds Host, Content-Length or Transfer-Encoding, User-Agent and Accept-Encoding; of these, a Host, a
/// User-Agent and an Accept-Encoding that are set here are sent as they are.
///
/// Thread: one at a time. Source: twisted.web.client.Agent.request
class http_client_request {
public:
  /// \throws std::invalid_argument if the method is no token, or CONNECT, or as `http_url::parse`
  http_client_request(std::string_view method, std::string_view url)
    : http_client_request(method, http_url::parse(url)) {}
  http_client_request(std::string_view method, http_url url);

  /// Adds a field.
  ///
  /// \throws std::invalid_argument if the name is no token, or the value has a control character, or the
  ///         field is one that the agent writes: Content-Length, Transfer-Encoding, Connection, Upgrade,
  ///         Expect, TE, Trailer, Keep-Alive, Proxy-Authorization, Proxy-Connection
  http_client_request& add(std::string_view name, std::string_view value) &;
  http_client_request&& add(std::string_view name, std::string_view value) && {
    return std::move(add(name, value));
  }

  /// As `add`, in the place of the fields of that name.
  http_client_request& set(std::string_view name, std::string_view value) &;
  http_client_request&& set(std::string_view name, std::string_view value) && {
    return std::move(set(name, value));
  }
  void remove(std::string_view name);
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;

  /// Sets Authorization, for this origin: a redirect to another one does not get it.
  ///
  /// \throws std::invalid_argument if the name has a colon
  /// Source: RFC 7617
  http_client_request& basic_auth(std::string_view name, std::string_view password) &;
  http_client_request&& basic_auth(std::string_view name, std::string_view password) && {
    return std::move(basic_auth(name, password));
  }

  /// Sets the body. It can be sent again, so a redirect or a dead connection is no trouble.
  http_client_request& body(std::string text, std::string_view content_type) &;
  http_client_request&& body(std::string text, std::string_view content_type) && {
    return std::move(body(std::move(text), content_type));
  }

  /// Sets a body that is sent piece by piece, as fast as the server takes it, and once only. Trailers of its
  /// source are sent too, over HTTP/1.1 only if the size is not told.
  ///
  /// \param size  if it is known: what the source gives must have it, else the connection is aborted;
  ///              without, the body is sent in chunks
  http_client_request& body(std::unique_ptr<http_body_source> source,
                            std::optional<std::uint64_t> size = {}) &;
  http_client_request&& body(std::unique_ptr<http_body_source> source,
                             std::optional<std::uint64_t> size = {}) && {
    return std::move(body(std::move(source), size));
  }

  [[nodiscard]] const std::string& method() const noexcept { return method_; }
  [[nodiscard]] const http_url& url() const noexcept { return url_; }

  /// Tells whether doing it twice is as good as doing it once (RFC 9110, 9.2.2).
  [[nodiscard]] bool idempotent() const noexcept;

private:
  friend class http_client_connection;
  friend class http_redirecting;
  friend struct detail::http_client_insides;

  std::string method_;
  http_url url_;
  std::vector<std::pair<std::string, std::string>> fields_;
  std::string text_;
  std::unique_ptr<http_body_source> source_;
  std::optional<std::uint64_t> size_; // of the source
  bool has_body_ = false;
  bool streams_ = false; // also once the source is taken
};

} // namespace troupe
