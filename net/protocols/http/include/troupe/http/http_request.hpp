#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/http/http_head.hpp>
#include <troupe/net/net_address.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

class protocol;
class tls_info;

namespace detail {
struct http_insides;
struct http_request_state;
} // namespace detail

/// A request, for as long as somebody handles it: copies are the same one.
///
/// When the client goes, the handler's deferred is cancelled and what waits for the body fails with
/// `errc::connection_lost`; what else is asked here goes on to answer.
///
/// ```cpp
/// deferred<http_response> upload(http_request r) {
///   const auto text = co_await r.read_all(100'000);
///   co_return http_response{200, std::to_string(text.size()) + " bytes\n"};
/// }
/// ```
///
/// Thread: that of the connection. Source: twisted.web.http.Request
class http_request {
public:
  [[nodiscard]] const http_request_head& head() const noexcept;
  [[nodiscard]] std::string_view method() const noexcept { return head().method(); }
  [[nodiscard]] std::string_view target() const noexcept { return head().target(); }
  [[nodiscard]] std::string_view path() const noexcept { return head().path(); }
  [[nodiscard]] std::string_view query() const noexcept { return head().query(); }
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
    return head().field(name);
  }
  [[nodiscard]] const http_fields& fields() const noexcept { return head().fields(); }

  /// Returns the fields that came behind the body; there are some only once that has ended.
  [[nodiscard]] const http_fields& trailers() const noexcept;

  // -- what a router has found ------------------------------------------------------------------

  /// Returns the part of the path that matched `{name}`, decoded; "" if there is none.
  [[nodiscard]] std::string_view parameter(std::string_view name) const noexcept;
  void add_parameter(std::string name, std::string value) const;
  void clear_parameters() const noexcept;

  /// Returns the rest of the path behind where this part is mounted, not decoded, with "/" in front;
  /// the whole path where nothing is.
  [[nodiscard]] std::string_view rest() const noexcept;
  void set_rest(std::size_t skipped) const noexcept; ///< how much of the path it leaves out

  // -- body -------------------------------------------------------------------------------------

  /// Returns the next piece of the body, of up to 64 KiB, and an empty one at its end. Reading pauses
  /// meanwhile: a client is not faster than its handler. The first call asks a client that waits for it
  /// to go on (100 Continue). A read that is cancelled takes nothing: the next one gets what came.
  ///
  /// Fails with: `errc::connection_lost`; an `http_error` if what came is no body
  /// \throws std::logic_error while another read waits
  [[nodiscard]] deferred<std::string> read() const;

  /// Returns the whole body.
  ///
  /// Fails with: an `http_error` 413 if it is longer than `limit`, before it is read where its head
  /// tells; as `read`
  [[nodiscard]] deferred<std::string> read_all(std::size_t limit = 1024 * 1024) const;

  // -- the connection ---------------------------------------------------------------------------

  /// Tells whether the client is still there.
  [[nodiscard]] bool connected() const noexcept;

  /// Returns the client's address as the network tells it, and ours.
  [[nodiscard]] net_address peer() const;
  [[nodiscard]] net_address host_address() const;

  /// Returns what the TLS handshake has settled; null without TLS.
  [[nodiscard]] const tls_info* tls() const noexcept;

  /// Returns the connection, which is an actor: what `ask`, `defer_to_thread` and coroutines of an
  /// actor want.
  ///
  /// \throws std::logic_error once the client has gone
  [[nodiscard]] protocol& actor() const;

private:
  friend struct detail::http_insides;
  explicit http_request(std::shared_ptr<detail::http_request_state> state) noexcept
    : state_(std::move(state)) {}

  std::shared_ptr<detail::http_request_state> state_;
};

} // namespace troupe
