#pragma once

#include <string>
#include <string_view>

#include <troupe/http/http_url.hpp>

namespace troupe {

/// What keeps the cookies of an agent (`http_agent_options::cookies`). `http_cookie_jar`, of the component
/// `http_cookies`, is one.
///
/// Thread: that of the agents that use it, which so are on one loop.
/// Source: twisted.web.client.CookieAgent
class http_cookie_store {
public:
  virtual ~http_cookie_store() = default;

  /// Returns what the field Cookie of a request for `url` is to be; empty: it gets none. Asked for each
  /// request that has no such field, also on the way of redirects.
  [[nodiscard]] virtual std::string cookies_for(const http_url& url) = 0;

  /// Takes the value of a field Set-Cookie of the response from `url`: of each one, in order, whatever the
  /// status of the response.
  virtual void set_cookie(const http_url& url, std::string_view field) = 0;
};

} // namespace troupe
