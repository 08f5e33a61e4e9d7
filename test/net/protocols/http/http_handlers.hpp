#pragma once

#include <string>
#include <vector>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_response.hpp>
#include <troupe/runtime/coroutine.hpp>

// Handlers that the tests of servers ask, of both versions of HTTP.

namespace troupe::testing {

inline http_handler says(std::string text) {
  return [text](http_request) {
    return http_response{200, text};
  };
}

/// Answers when it is told to.
struct later {
  http_handler handler() {
    return [this](http_request r) -> http_reply {
      requests.push_back(r);
      promises.emplace_back([this] { ++cancelled; });
      return promises.back().get_deferred();
    };
  }
  std::vector<http_request> requests;
  std::vector<promise<http_response>> promises;
  int cancelled = 0;
};

/// Reads the body piece by piece, and answers with its size.
inline deferred<http_response> counts(http_request r) {
  std::size_t size = 0;
  for (;;) {
    const auto piece = co_await r.read();
    if (piece.empty())
      co_return http_response{200, std::to_string(size)};
    size += piece.size();
  }
}

} // namespace troupe::testing
