#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_cookie_store.hpp>

namespace troupe {

/// A cookie as a client keeps it. Source: RFC 6265, 5.3
struct kept_http_cookie {
  std::string name;
  std::string value;
  std::string domain;                   ///< in small letters, without a dot in front
  std::string path = "/";               ///< what lies below it gets the cookie
  std::optional<std::time_t> expires{}; ///< none: it lasts as long as the jar, a session
  bool host_only = true;                ///< only this host gets it, and none below it
  bool secure = false;                  ///< only https gets it
  bool http_only = false;               ///< for scripts, of which there are none here

  friend bool operator==(const kept_http_cookie&, const kept_http_cookie&) = default;
};

/// How much a cookie jar holds.
struct http_cookie_jar_options {
  std::size_t max_per_domain =
    50; ///< the one used longest ago goes, before it those that are not secure
  std::size_t max_cookies = 3000; ///< of all; the one used longest ago goes
  std::size_t max_size = 4096;    ///< the name and the value together; a longer one is not taken

  /// For how long a cookie is kept at most, whatever the server says.
  std::chrono::seconds max_age = std::chrono::hours(24 * 400);

  /// Tells the time of day; unset: the system's.
  std::function<std::time_t()> wall_clock{};
};

/// Keeps cookies as a browser does, and gives each server its own.
///
/// ```cpp
/// const auto jar = std::make_shared<troupe::http_cookie_jar>();
/// troupe::http_agent agent{rt, {.cookies = jar}};
/// ```
///
/// A server sets cookies for its host, or for a domain that it is in, but for none under which everybody can
/// have a name: "com", "co.uk", "github.io" (the public suffix list of libpsl). Those that are `Secure` are set
/// over https only and sent over https only, and http does not replace them. The prefixes `__Secure-` and `__Host-` hold.
/// Ports do not count, and neither does SameSite, as nobody but the program itself asks.
///
/// `all` and `add` are for keeping them beyond the program's end.
///
/// Thread: that of the agents that use it. Source: RFC 6265, and of its successor (draft 6265bis) the prefixes,
/// the limits of time and size, and what http may not do to secure cookies; twisted.web.client.CookieAgent,
/// which takes Python's rules
class http_cookie_jar final : public http_cookie_store {
public:
  /// \throws std::invalid_argument if there is no room for a single cookie
  /// \throws std::runtime_error if there is no public suffix list
  explicit http_cookie_jar(http_cookie_jar_options options = {});
  ~http_cookie_jar() override;
  http_cookie_jar(const http_cookie_jar&) = delete;
  http_cookie_jar& operator=(const http_cookie_jar&) = delete;

  [[nodiscard]] std::string cookies_for(const http_url& url) override;
  void set_cookie(const http_url& url, std::string_view field) override;

  /// Puts a cookie in, in the place of the one with that name, domain and path, as it is: who calls this
  /// has checked it. One that has expired is taken out.
  void add(kept_http_cookie cookie);

  /// Returns all that have not expired, by domain, the oldest first.
  [[nodiscard]] std::vector<kept_http_cookie> all() const;

  /// Takes out those without an end: what a browser does when it is closed.
  void end_session();

  void clear() noexcept;
  [[nodiscard]] std::size_t size() const noexcept {
    return size_;
  } ///< also those that have expired

private:
  struct entry {
    kept_http_cookie cookie;
    std::uint64_t made; // the order in which they were
    std::uint64_t used;
  };
  struct suffixes;
  using entries = std::vector<entry>;

  [[nodiscard]] std::time_t now() const;
  [[nodiscard]] bool hides_secure(const kept_http_cookie& c) const;
  void drop_expired(std::time_t at);
  void make_room(const std::string& domain);

  const http_cookie_jar_options options_;
  const std::unique_ptr<const suffixes> suffixes_;
  std::map<std::string, entries, std::less<>> domains_;
  std::size_t size_ = 0;
  std::uint64_t clock_ = 0; // counts what happens
};

} // namespace troupe
