#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <troupe/http/http_response.hpp>

namespace troupe {

/// Finds the handler of a request by its path and method.
///
/// A pattern is a path whose segments are words or placeholders, `{name}`, which match one segment
/// that is not empty. A word is preferred to a placeholder, and both to what is mounted, whatever the
/// order in which they were added. Segments are decoded after the path is split, so `%2F` separates
/// nothing.
///
/// What is not found is 404, a method that the path does not have 405 with Allow, HEAD is answered by
/// the handler of GET, OPTIONS with the methods that there are, and a path that cannot be decoded is
/// 400.
///
/// ```cpp
/// troupe::http_router site;
/// site.get("/", [](auto) { return http_response{200, "Hello, world!"}; });
/// site.get("/rooms/{name}", [](http_request r) {
///   return http_response{200, "This is " + std::string{r.parameter("name")} + ".\n"};
/// });
/// site.mount("/static", troupe::static_files("/srv/www"));
/// troupe::listen_tcp(rt, 8080, troupe::http_server(site.handler()));
/// ```
///
/// Thread: filled in one; once it is a handler it does not change, and any may call that.
class http_router {
public:
  http_router();

  /// Lets `h` answer requests of this method to paths that match.
  ///
  /// \throws std::invalid_argument if the pattern does not begin with "/", or names a placeholder in
  ///         two ways, or has a handler of that method already, or the method is no token
  http_router& route(std::string_view method, std::string_view pattern, http_handler h);
  http_router& get(std::string_view pattern, http_handler h) {
    return route("GET", pattern, std::move(h));
  }
  http_router& post(std::string_view pattern, http_handler h) {
    return route("POST", pattern, std::move(h));
  }
  http_router& put(std::string_view pattern, http_handler h) {
    return route("PUT", pattern, std::move(h));
  }
  http_router& remove(std::string_view pattern, http_handler h) { // DELETE
    return route("DELETE", pattern, std::move(h));
  }

  /// Lets `h` answer every request to `prefix` and below that nothing else matches. It sees the rest of
  /// the path (`http_request::rest`). The prefix has no placeholders.
  ///
  /// \throws std::invalid_argument as above
  http_router& mount(std::string_view prefix, http_handler h);

  /// Returns the handler that finds handlers.
  [[nodiscard]] http_handler handler() const;

private:
  struct node;
  struct search;
  std::shared_ptr<node> root_;
};

} // namespace troupe
