#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <troupe/actors/service.hpp>
#include <troupe/net/client_service.hpp>
#include <troupe/net/detail/request_core.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Asks a server over one connection that it keeps: many requests at once, each with its own answer.
///
/// It numbers the requests and matches the answers, whatever their order; limits each in time; fails
/// all that wait when the connection is lost; and connects again through a `client_service`. What a
/// request and an answer look like on the wire is the codec's:
///
/// ```cpp
/// struct words {              // "7 hello" asks, "7 bonjour" answers
///   using request = std::string;
///   using response = std::string;
///   void encode(std::string& out, std::uint64_t id, const std::string& word) {
///     out += std::to_string(id) + ' ' + word + "\r\n";
///   }
///   std::optional<troupe::request_answer<std::string>> decode(std::string_view& in);
/// };
///
/// troupe::request_client<words> french{rt, troupe::client_from_string(rt, "tcp:localhost:8123")};
/// (void) french.start_service();
/// auto hello = co_await french.request("hello", 1s);
/// ```
///
/// A request that cannot be sent yet, as there is no connection, waits for one, within its time. One
/// that was sent is never sent again by itself: whether the server did it is not known when the
/// connection is lost, and trying again is for the caller to decide.
///
/// Cancelling the deferred, and its time-out, forget the request; an answer that comes all the same is
/// dropped and counted. The server is told if the codec knows how (`encode_cancel`).
///
/// It may be part of an `application` or another `multi_service`, which then starts and stops it.
///
/// Order: requests are sent in the order of the calls.
/// Lifetime: it ends before its runtime. Ending stops it.
/// Thread: the loop on which it was made, where its connection is too, as with `client_service`; made
/// before `run()`, loop 0. The codec runs on the connection's loop.
/// Source: twisted.protocols.amp.AMP.callRemote; a channel of gRPC
template <request_codec Codec>
class request_client final : public service {
public:
  using request_type = typename Codec::request;
  using response_type = typename Codec::response;
  using options = request_client_options<Codec>;

  /// \param to     where the server is
  /// \param codec  each connection works with its own copy
  request_client(runtime& rt, std::shared_ptr<client_endpoint> to, options o = {}, Codec codec = {})
    : core_(std::make_shared<core>(rt, std::move(o))),
      service_(core::connect(core_, rt, std::move(to), std::move(codec))) {}

  ~request_client() override { core_->stop(); }

  /// Begins to connect. \returns what has fired
  [[nodiscard]] deferred<void> start_service() override {
    (void)service::start_service();
    core_->start();
    return service_->start_service();
  }

  /// Fails all requests with `errc::cancelled`, and ends the connection. It may be started again.
  ///
  /// \returns what fires when there is no connection any more
  [[nodiscard]] deferred<void> stop_service() override {
    (void)service::stop_service();
    core_->stop();
    return service_->stop_service();
  }

  /// Sends `r`, and returns a deferred of its answer.
  ///
  /// \param timeout  from now on, the wait for a connection included; `duration::max()`: for ever
  /// \param where    named by the failure of a time-out
  /// Fails with: what the codec makes of an answer; what it throws when it encodes `r`;
  /// `errc::timed_out`, whose text names the line of the call, and why there was no connection if there
  /// was none; `errc::queue_overflow` at once, if `max_pending` wait already; what ended the connection,
  /// if that is lost before the answer comes: `errc::connection_lost` if it was closed;
  /// `errc::cancelled` if the client is stopped; `errc::not_connected` if it is stopped already.
  [[nodiscard]] deferred<response_type>
  request(request_type r, duration timeout, source_location where = source_location::current()) {
    return core_->ask(std::move(r), timeout, where);
  }

  /// As above, with the time-out of the options.
  [[nodiscard]] deferred<response_type>
  request(request_type r, source_location where = source_location::current()) {
    return core_->ask(std::move(r), core_->timeout(), where);
  }

  /// Returns a deferred of the next connection: see `client_service::when_connected`.
  [[nodiscard]] deferred<connected_protocol>
  when_connected(std::optional<std::size_t> fail_after_failures = {}) {
    return service_->when_connected(fail_after_failures);
  }

  /// Tells whether there is a connection on which requests are sent at once.
  [[nodiscard]] bool connected() const noexcept { return core_->connected(); }

  /// Returns how many requests wait: for their answer, or to be sent.
  [[nodiscard]] std::size_t pending() const noexcept { return core_->pending(); }

  /// Returns how many answers came that nobody waited for any more.
  [[nodiscard]] std::uint64_t late_answers() const noexcept { return core_->late_answers(); }

private:
  using core = detail::request_core<Codec>;

  std::shared_ptr<core> core_;
  std::shared_ptr<client_service> service_;
};

} // namespace troupe
