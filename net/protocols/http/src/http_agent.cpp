#include <troupe/http/http_agent.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <troupe/http/http_text.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/event_loop.hpp>

#include "http_client_connection.hpp"
#include "http_pool.hpp"

namespace troupe {

namespace {

constexpr std::size_t small_body = 64 * 1024; // sent within `timeout`

// Browsers take what is not ASCII in a Location, and escape it; a host is a name, and not escaped.
std::string escaped_location(std::string_view location) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::size_t host_end = 0;
  if (const auto slashes = location.find("//");
      slashes != std::string_view::npos && location.find_first_of("/?#") == slashes)
    host_end = std::min(location.find_first_of("/?#", slashes + 2), location.size());
  std::string out{location.substr(0, host_end)};
  for (const char c : location.substr(host_end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80)
      out += c;
    else
      ((out += '%') += hex[byte >> 4]) += hex[byte & 15];
  }
  return out;
}

} // namespace

/// The way of a request along its redirects.
class http_redirecting {
public:
  static deferred<http_client_response> follow(std::shared_ptr<detail::http_pool> pool,
                                               http_client_request r) {
    const auto deadline = patient(r) ? time_point::max() : pool->deadline();
    std::vector<http_url> passed;
    for (;;) {
      auto again = copy(r);
      const auto cookies = pool->options().cookies; // kept over what it calls
      if (cookies && !r.field("Cookie"))
        if (const auto field = cookies->cookies_for(r.url_); !field.empty())
          r.add("Cookie", field);
      auto waits = pool->send(std::move(r), deadline);
      auto got = co_await std::move(waits);
      if (cookies)
        got.fields().each("Set-Cookie",
                          [&](std::string_view field) { cookies->set_cookie(again.url_, field); });
      if (!next(again, got, pool->options())) {
        got.state_->redirects = std::move(passed);
        co_return std::move(got);
      }
      passed.push_back(got.url());
      if (passed.size() > pool->options().max_redirects)
        co_return failure{errc::invalid_argument,
                          "more redirects than allowed, the last one to " + again.url().text()};
      r = std::move(again);
    }
  }

  // Tells whether it may take longer than `timeout`, as long as it gets on.
  static bool patient(const http_client_request& r) {
    return r.streams_ || r.text_.size() > small_body;
  }

private:
  static http_client_request copy(const http_client_request& r) {
    http_client_request c{r.method_, r.url_};
    c.fields_ = r.fields_;
    c.text_ = r.text_;
    c.size_ = r.size_;
    c.has_body_ = r.has_body_;
    c.streams_ = r.streams_;
    return c;
  }

  // Makes of `r`, which was answered by `got`, what is to be asked next; false if nothing.
  static bool next(http_client_request& r, const http_client_response& got,
                   const http_agent_options& o) {
    const auto status = got.status();
    if (o.max_redirects == 0)
      return false;
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
      return false;
    const auto location = got.field("Location");
    if (!location || location->empty())
      return false;
    const bool becomes_get = (status == 303 && r.method_ != "HEAD")
                             || ((status == 301 || status == 302) && r.method_ == "POST");
    if (!becomes_get && r.streams_)
      return false;
    const auto url = r.url_.resolve(escaped_location(*location));
    if (r.url_.secure() && !url.secure() && !o.allow_downgrade)
      failure{errc::not_supported, "a redirect from https to " + url.origin()}.raise();
    if (url.origin() != r.url_.origin())
      for (const auto* secret : {"Authorization", "Cookie", "Host"})
        r.remove(secret);
    if (becomes_get) {
      r.method_ = "GET";
      r.text_.clear();
      r.size_.reset();
      r.has_body_ = r.streams_ = false;
      for (const auto* about :
           {"Content-Type", "Content-Encoding", "Content-Language", "Content-Location"})
        r.remove(about);
    }
    r.url_ = url;
    return true;
  }
};

http_agent::http_agent(runtime& rt, http_agent_options options)
  : pool_(std::make_shared<detail::http_pool>(rt, std::move(options))) {}

http_agent::http_agent(http_agent&&) noexcept = default;

http_agent& http_agent::operator=(http_agent&& other) noexcept {
  std::swap(pool_, other.pool_);
  return *this;
}

http_agent::~http_agent() {
  if (pool_)
    pool_->close();
}

deferred<http_client_response> http_agent::request(http_client_request r) {
  if (pool_->options().max_redirects > 0 || pool_->options().cookies)
    return http_redirecting::follow(pool_, std::move(r));
  const auto deadline = http_redirecting::patient(r) ? time_point::max() : pool_->deadline();
  return pool_->send(std::move(r), deadline);
}

deferred<http_client_response> http_agent::get(std::string_view url) {
  try {
    return request(http_client_request{"GET", url});
  } catch (...) {
    return fail<http_client_response>(failure::current());
  }
}

void http_agent::close_idle() {
  pool_->close_idle();
}

std::size_t http_agent::idle_connections() const noexcept {
  return pool_->idle();
}

std::size_t http_agent::busy_connections() const noexcept {
  return pool_->busy();
}

} // namespace troupe
