#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_cookie.hpp>
#include <troupe/http/http_request.hpp>
#include <troupe/http/http_response.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

namespace detail {
struct http_session_state;
class http_session_store;
} // namespace detail

/// What a session holds: text by name.
using http_session_values = std::map<std::string, std::string, std::less<>>;

/// How sessions are kept.
struct http_session_options {
  /// A session that was not asked for as long as this has ended.
  duration idle_timeout = std::chrono::minutes(15);

  /// How many there may be; one more ends the one that was used longest ago.
  std::size_t max_sessions = 10'000;

  /// Bytes of what one session holds.
  std::size_t max_size = 64 * 1024;

  /// The name of its cookie. Over TLS it is "__Host-" and this, and another session: what was sent in clear is
  /// believed there as little as the other way round.
  std::string cookie = "session";

  /// Says that clients come over TLS though the connection here is in clear, as behind a proxy.
  bool secure = false;

  /// Whether the cookie comes along from pages of other sites.
  http_cookie::site same_site = http_cookie::site::lax;

  /// With these the id is signed as `cookie_signer` does; without it is believed if it is there, which nobody can guess.
  std::vector<std::string> keys{};

  /// Called with what a session held when it ends, once, whatever ended it; in the thread that noticed.
  std::function<void(const http_session_values&)> ended{};
};

/// The session of one request. Copies are the same one.
///
/// There is none until something is set: who only looks costs nothing, and gets no cookie. Set before the response is
/// returned, for the cookie travels with it.
///
/// Thread: that of the request. What it holds is shared by all requests of a client, on whatever loop they are.
class http_session {
public:
  /// Returns what was set under this name, or nothing.
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const;

  /// Sets it; the first one makes the session.
  ///
  /// \throws std::length_error if the session would hold more than `max_size`; then nothing is changed
  void set(std::string_view name, std::string value) const;

  void erase(std::string_view name) const;

  /// Gives the session another id, and the client another cookie: on every login, and whenever somebody gets to do more
  /// than before. Who knew the old id has no session any more (session fixation).
  void renew() const;

  /// Ends it: on logout. The client's cookie is deleted.
  void end() const;

  /// Tells whether there is one.
  [[nodiscard]] bool exists() const;

private:
  friend class http_sessions;
  explicit http_session(std::shared_ptr<detail::http_session_state> state) noexcept
    : state_(std::move(state)) {}

  std::shared_ptr<detail::http_session_state> state_;
};

/// Sessions: what a server remembers of a client from one request to the next, by the random id in a cookie.
///
/// ```cpp
/// http_sessions sessions;
/// http_router site;
/// site.post("/login", sessions.handler([](http_request r, http_session s) -> http_reply {
///   return read_form(r).add_callback([s](http_arguments form) {
///     s.renew();
///     s.set("user", std::string{form.find("user").value_or("nobody")});
///     return http_response::redirect("/", 303);
///   });
/// }));
/// ```
///
/// They are in memory, and gone with the process. Time-outs are looked at when a request comes, so an idle
/// server keeps what it has, up to `max_sessions`.
///
/// Thread: any; copies are the same. Source: twisted.web.server.Session
class http_sessions {
public:
  /// \throws std::invalid_argument if the cookie's name is no token, a key is too short, or `same_site` is none without
  ///         `secure`
  explicit http_sessions(http_session_options options = {});

  /// Gives `inner` the session of each request, and the client its cookie. A response that sets one says that
  /// nobody else may keep it (Cache-Control: no-store, unless it has that field). What `inner` throws or fails with takes no
  /// cookie along.
  [[nodiscard]] http_handler
  handler(std::function<http_reply(http_request, http_session)> inner) const;

  /// Returns how many there are, with those of which no request has shown yet that they have ended.
  [[nodiscard]] std::size_t size() const;

private:
  std::shared_ptr<detail::http_session_store> store_;
};

} // namespace troupe
