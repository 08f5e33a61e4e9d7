#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <troupe/http/http_agent.hpp>
#include <troupe/runtime/canceller.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/promise.hpp>

namespace troupe {
class http_client_connection;
}

namespace troupe::detail {

/// A request that has no response yet.
///
/// States: waiting for a connection -> connecting (`holds_place`) -> on a `connection` -> answered.
struct http_job {
  http_job(http_client_request r, std::string key)
    : request(std::move(r)), origin(std::move(key)) {}

  http_client_request request;
  std::string origin;
  std::optional<promise<http_client_response>> answer;
  canceller connecting;
  delayed_call timer; // of all of it
  http_client_connection* connection = nullptr;
  bool holds_place = false; // among those of its origin, while its connection is made
  bool fresh = false;       // wants no connection that was used before

  [[nodiscard]] bool over() const noexcept { return !answer || answer->called(); }
  void succeed_with(http_client_response r);
  void fail_with(const failure& why);
};

using http_job_ptr = std::shared_ptr<http_job>;

/// The connections of an agent, and the requests that wait for one.
///
/// Thread: its loop's. Lifetime: that of the agent and of its connections.
class http_pool : public std::enable_shared_from_this<http_pool> {
public:
  http_pool(runtime& rt, http_agent_options options);

  /// Sends one request; redirects are not its matter.
  [[nodiscard]] deferred<http_client_response> send(http_client_request r, time_point deadline);

  void close();
  void close_idle();

  [[nodiscard]] const http_agent_options& options() const noexcept { return options_; }
  [[nodiscard]] event_loop& loop() const noexcept { return loop_; }
  [[nodiscard]] time_point deadline() const;
  [[nodiscard]] const tls_client_context& tls();
  [[nodiscard]] std::size_t idle() const noexcept;
  [[nodiscard]] std::size_t busy() const noexcept;

  // -- for connections --------------------------------------------------------------------------

  void start(const http_job_ptr& job);
  void now_idle(http_client_connection& c);   // it has done its request
  void busy_ended(const std::string& origin); // with a request on it
  void idle_ended(http_client_connection& c); // without

private:
  struct place {
    std::vector<http_client_connection*> idle; // the one used last at the end
    std::deque<http_job_ptr> waiting;
    std::size_t busy = 0; // or being made
  };

  void give(http_client_connection& c, const http_job_ptr& job);
  void connect(const http_job_ptr& job);
  [[nodiscard]] std::shared_ptr<client_endpoint> endpoint_for(const http_url& url);
  void next(const std::string& origin);
  void cancel(http_job& job);

  runtime& rt_;
  event_loop& loop_;
  http_agent_options options_;
  std::map<std::string, place> places_;
  bool closed_ = false;
};

} // namespace troupe::detail
