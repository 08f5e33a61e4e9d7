#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <troupe/http/detail/http_incoming_body.hpp>
#include <troupe/http/http_client_request.hpp>
#include <troupe/http/http_client_response.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/canceller.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/promise.hpp>

namespace troupe {
struct http_agent_options;
}

namespace troupe::detail {

/// Where a request of an agent is, and its response comes from: a connection of HTTP/1.1, or a stream of
/// HTTP/2.
///
/// Thread: that of the agent, in whoever's turn.
class http_client_exchange {
public:
  virtual void abandon() = 0;          ///< nobody wants the response any more
  virtual void wants_more() = 0;       ///< the body has room
  virtual void dropped() noexcept = 0; ///< nobody has the response any more; also before `run()`

protected:
  ~http_client_exchange() = default;
};

/// What a response shares with where it comes from.
struct http_client_body {
  explicit http_client_body(http_url from) : url(std::move(from)) {}
  ~http_client_body() {
    if (exchange != nullptr)
      exchange->dropped(); // which passes over what is left
  }

  http_response_head head;
  http_fields trailers;
  http_url url;
  std::vector<http_url> redirects;
  http_client_exchange* exchange = nullptr; // null once the body has ended
  bool decoded = false;

  http_incoming_body body;

  void hand();
  void end_with(const failure& why);
};

/// A request that has no response yet.
///
/// States: waiting for a connection -> connecting (`holds_place`) -> on an `exchange` -> answered.
struct http_job {
  http_job(http_client_request r, std::string key)
    : request(std::move(r)), origin(std::move(key)) {}

  http_client_request request;
  std::string origin;
  std::optional<promise<http_client_response>> answer;
  canceller connecting;
  delayed_call timer; // of all of it
  http_client_exchange* exchange = nullptr;
  std::uint8_t refusals = 0; // of servers that have done nothing of it
  bool holds_place = false;  // among those of its origin, while its connection is made
  bool probes = false;       // others wait to hear which version that connection speaks
  bool fresh = false;        // wants no connection that was used before

  [[nodiscard]] bool over() const noexcept { return !answer || answer->called(); }
  void succeed_with(http_client_response r);
  void fail_with(const failure& why);
};

using http_job_ptr = std::shared_ptr<http_job>;

/// The connection of an agent, as what carries many requests on it sees it.
class http_multiplexer_host {
public:
  [[nodiscard]] virtual protocol& carrier() noexcept = 0;
  [[nodiscard]] virtual const http_agent_options& options() const noexcept = 0;

  virtual void request_ended() = 0; ///< one that was given to `run`, in whatever way
  virtual void has_room() = 0;      ///< for more of them than before
  virtual void takes_no_more() = 0; ///< those under way may go on

  /// Sends a request again, elsewhere. It has had its `request_ended`.
  virtual void start_again(const http_job_ptr& job) = 0;

protected:
  ~http_multiplexer_host() = default;
};

/// What carries many requests at once over one connection of an agent: HTTP/2. It reads and writes on the
/// transport of the carrier.
///
/// Thread: that of the agent, as the carrier. Lifetime: the connection's.
class http_multiplexer {
public:
  virtual ~http_multiplexer() = default;

  virtual void begin() = 0; ///< called once, first
  virtual void data_received(bytes_view data) = 0;
  virtual void connection_lost(const failure& reason) = 0; ///< called once, last

  [[nodiscard]] virtual bool has_room() const noexcept = 0; ///< for one more request
  virtual void run(const http_job_ptr& job) = 0;
  virtual void close() = 0; ///< closes once nothing is under way
};

/// Makes them.
///
/// Thread: any.
class http_multiplexing {
public:
  virtual ~http_multiplexing() = default;

  [[nodiscard]] virtual std::unique_ptr<http_multiplexer>
  make(http_multiplexer_host& host) const = 0;

  /// Returns what TLS offers, the best first.
  [[nodiscard]] virtual std::vector<std::string> alpn() const = 0;

  /// Tells whether it is for connections without TLS, too.
  [[nodiscard]] virtual bool prior_knowledge() const noexcept = 0;
};

/// Opens what a request and a response have for the connection alone.
struct http_client_insides {
  using request = http_client_request;

  [[nodiscard]] static const auto& fields(const request& r) noexcept { return r.fields_; }
  [[nodiscard]] static const std::string& text(const request& r) noexcept { return r.text_; }
  [[nodiscard]] static auto& source(request& r) noexcept { return r.source_; }
  [[nodiscard]] static auto size(const request& r) noexcept { return r.size_; }
  [[nodiscard]] static bool has_body(const request& r) noexcept { return r.has_body_; }
  [[nodiscard]] static bool streams(const request& r) noexcept { return r.streams_; }

  /// Tells whether a request says how long its body is, and it is not a stream of unknown length.
  [[nodiscard]] static std::optional<std::uint64_t> length(const request& r) noexcept {
    if (r.streams_)
      return r.size_;
    if (r.has_body_ || r.method_ == "POST" || r.method_ == "PUT" || r.method_ == "PATCH")
      return r.text_.size();
    return {};
  }

  [[nodiscard]] static http_client_response response(std::shared_ptr<http_client_body> s) noexcept {
    return http_client_response{std::move(s)};
  }
};

} // namespace troupe::detail
