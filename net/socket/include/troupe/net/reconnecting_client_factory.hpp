#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

#include <troupe/net/client_factory.hpp>
#include <troupe/net/detail/retry_report.hpp>
#include <troupe/runtime/detail/class_name.hpp>

namespace troupe {

/// How long a `reconnecting_client_factory` waits, and how often it tries.
struct reconnect_options {
  /// Before the first retry.
  duration initial = std::chrono::seconds(1);

  /// At most.
  duration max = std::chrono::hours(1);

  /// Each wait is this many times the one before. Source: Twisted's factor, e
  double factor = 2.7182818284590451;

  /// Each wait is spread around that with this share of it as standard deviation, so that the many
  /// clients of a server that was gone do not come back all at once. A wait is never less than half
  /// of what it would be without. Source: Twisted's jitter
  double jitter = 0.119626565582;

  /// How often it tries again before it gives up; nothing: for ever.
  std::optional<std::size_t> max_retries{};

  /// Returns a number of the standard normal distribution; empty takes the system's randomness.
  std::function<double()> random{};
};

/// A client factory that connects again when a connection fails or is lost, after waits that grow.
///
/// ```cpp
/// class steady : public troupe::reconnecting_client_factory {
/// public:
///   using reconnecting_client_factory::reconnecting_client_factory;
///   troupe::protocol_ptr build_protocol(const troupe::net_address&) override {
///     reset_delay(); // it is there again
///     return make_protocol<greeter>();
///   }
/// };
/// troupe::connect_tcp(rt, "localhost", 8123, troupe::client_factory::of<steady>());
/// ```
///
/// A factory of one connector keeps that connection; of several, each, with waits that grow for
/// all. An override of `client_connection_failed` or
/// `client_connection_lost` calls the one here, or `retry`.
///
/// It logs a warning with the reason, and how long it waits: "client of greeter: localhost:8123 (the
/// connection was refused); again in 1.1 s"; repeats of the same reason ever less often.
///
/// Thread: its loop's. Source: twisted.internet.protocol.ReconnectingClientFactory; the first wait is
/// `initial` there too by its documents, but e times that by its code, and its jitter compounds.
class reconnecting_client_factory : public client_factory {
public:
  explicit reconnecting_client_factory(caf::actor_config& cfg, reconnect_options options = {});

  /// Returns a factory that builds `P(cfg, args...)` and resets the delay for each connection.
  template <class P, class... Args>
  [[nodiscard]] static client_factory_ref for_protocol(reconnect_options options, Args&&... args);

  void client_connection_failed(connector& c, const failure& reason) override;
  void client_connection_lost(connector& c, const failure& reason) override;
  void client_connection_made(connector& c, const protocol_ptr& p) override;

  /// Connects again after the next wait, unless it was told to stop or has tried often enough.
  void retry(connector& c);

  /// Gives up: the attempt or the wait that is under way ends; an open connection stays.
  void stop_trying();

  /// Lets the next wait be the first one again. Call it when a connection has proved good.
  void reset_delay() noexcept;

  /// Returns how many retries were made or are waited for since the latest `reset_delay`.
  [[nodiscard]] std::size_t retries() const noexcept { return retries_; }

private:
  duration next_wait();

  const reconnect_options options_;
  duration delay_;
  std::size_t retries_ = 0;
  bool continue_trying_ = true;
  std::vector<delayed_call> waiting_; // one for each connector that is to connect again
  detail::retry_report report_;
};

namespace detail {

template <class P, class... Args>
class simple_reconnecting_factory final : public reconnecting_client_factory {
public:
  simple_reconnecting_factory(caf::actor_config& cfg, reconnect_options options,
                              std::tuple<Args...> args)
    : reconnecting_client_factory(cfg, std::move(options)), args_(std::move(args)) {}

  protocol_ptr build_protocol(const net_address&) override {
    reset_delay();
    return std::apply([this](auto&... args) { return this->template make_protocol<P>(args...); },
                      args_);
  }

  std::string log_prefix() const override { return "client of " + detail::class_name(typeid(P)); }

private:
  std::tuple<Args...> args_;
};

} // namespace detail

template <class P, class... Args>
client_factory_ref reconnecting_client_factory::for_protocol(reconnect_options options,
                                                             Args&&... args) {
  detail::check_protocol<P, std::decay_t<Args>&...>();
  if constexpr (detail::protocol_class<P, std::decay_t<Args>&...>) {
    using made = detail::simple_reconnecting_factory<P, std::decay_t<Args>...>;
    return client_factory::of<made>(std::move(options),
                                    std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...));
  } else {
    return client_factory_ref{factory_ref{nullptr}};
  }
}

} // namespace troupe
