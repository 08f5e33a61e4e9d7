#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <troupe/http/detail/http_client_exchange.hpp>
#include <troupe/http/http_agent.hpp>

namespace troupe {
class http_client_connection;
}

namespace troupe::detail {

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
  void next(const std::string& origin);       // there may be room for what waits

  /// It is open, and knows which version it speaks. `probed`: others waited for that.
  void learned(http_client_connection& c, bool shared, bool probed);
  void probe_failed(const std::string& origin); // and `busy_ended` follows
  void shared_idle(http_client_connection& c);  // no request is under way on it
  void unshare(http_client_connection& c);      // it takes no more of them

private:
  struct place {
    std::vector<http_client_connection*> idle; // the one used last at the end
    std::deque<http_job_ptr> waiting;
    std::vector<http_client_connection*> shared; // of HTTP/2, which take requests
    std::size_t busy = 0;                        // connections with requests on them, or being made
    bool probing = false;  // one is being made, and might be shared: the others wait for that
    bool only_one = false; // the latest one speaks HTTP/1.1

    [[nodiscard]] bool empty() const noexcept {
      return idle.empty() && waiting.empty() && shared.empty() && busy == 0;
    }
  };

  void give(http_client_connection& c, const http_job_ptr& job);
  void connect(const http_job_ptr& job);
  [[nodiscard]] std::shared_ptr<client_endpoint> endpoint_for(const http_url& url);
  [[nodiscard]] static http_client_connection* with_room(const place& p) noexcept;
  [[nodiscard]] bool may_open(const place& p) const noexcept;
  [[nodiscard]] bool may_be_shared(const http_url& url) const noexcept;
  void cancel(http_job& job);

  runtime& rt_;
  event_loop& loop_;
  http_agent_options options_;
  std::map<std::string, place> places_;
  bool closed_ = false;
};

} // namespace troupe::detail
