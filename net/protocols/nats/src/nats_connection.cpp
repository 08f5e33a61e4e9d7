#include <troupe/nats/nats_connection.hpp>

#include <iterator>

#include "nats_core.hpp"

namespace troupe {

std::string_view name(nats_event::kind what) noexcept {
  static constexpr std::string_view names[] = {"connected",     "disconnected", "reconnected",
                                               "discovered",    "lame_duck",    "error",
                                               "slow_consumer", "dropped"};
  const auto i = static_cast<std::size_t>(what);
  return i < std::size(names) ? names[i] : "unknown";
}

nats_connection::nats_connection(runtime& rt, nats_options options)
  : core_(detail::nats_core::make(rt, std::move(options))) {}

nats_connection::~nats_connection() {
  core_->abandon();
}

deferred<void> nats_connection::start_service() {
  core_->expect_here("nats_connection::start_service");
  (void)service::start_service();
  return core_->start();
}

deferred<void> nats_connection::stop_service() {
  core_->expect_here("nats_connection::stop_service");
  (void)service::stop_service();
  return core_->stop();
}

deferred<void> nats_connection::when_connected(std::optional<std::size_t> fail_after_failures) {
  core_->expect_here("nats_connection::when_connected");
  return core_->when_connected(fail_after_failures);
}

bool nats_connection::connected() const noexcept {
  return core_->connected();
}

const nats_server_info& nats_connection::server_info() const noexcept {
  return core_->info();
}

std::string nats_connection::server() const {
  return core_->server().name();
}

std::vector<std::string> nats_connection::servers() const {
  return core_->servers();
}

std::error_code nats_connection::publish(std::string_view subject, std::string_view payload,
                                         const nats_publish_options& options) {
  core_->expect_here("nats_connection::publish");
  return core_->publish(subject, payload, options.reply,
                        options.headers.empty() ? std::string{} : options.headers.block());
}

std::error_code nats_connection::publish(std::string_view subject, std::string_view payload) {
  core_->expect_here("nats_connection::publish");
  return core_->publish(subject, payload, {}, {});
}

nats_subscription nats_connection::subscribe(std::string_view pattern,
                                             std::function<void(const nats_message_view&)> fn) {
  return subscribe(pattern, {}, std::move(fn));
}

nats_subscription nats_connection::subscribe(std::string_view pattern,
                                             const nats_subscribe_options& options,
                                             std::function<void(const nats_message_view&)> fn) {
  core_->expect_here("nats_connection::subscribe");
  return core_->subscribe(pattern, options, std::move(fn), nullptr);
}

nats_subscription nats_connection::subscribe(std::string_view pattern, const caf::actor& actor,
                                             const nats_subscribe_options& options) {
  core_->expect_here("nats_connection::subscribe");
  return core_->subscribe(pattern, options, {}, caf::actor_cast<caf::strong_actor_ptr>(actor));
}

nats_subscription nats_connection::subscribe(std::string_view pattern,
                                             const nats_subscribe_options& options) {
  core_->expect_here("nats_connection::subscribe");
  return core_->subscribe(pattern, options, {}, nullptr);
}

deferred<nats_message> nats_connection::request(std::string_view subject, std::string_view payload,
                                                const nats_request_options& options,
                                                source_location where) {
  core_->expect_here("nats_connection::request");
  return core_->request(subject, payload, options, where);
}

deferred<nats_message> nats_connection::request(std::string_view subject, std::string_view payload,
                                                source_location where) {
  return request(subject, payload, nats_request_options{}, where);
}

std::error_code nats_connection::respond(const nats_message_view& to, std::string_view payload,
                                         nats_headers headers) {
  core_->expect_here("nats_connection::respond");
  return core_->publish(to.reply, payload, {}, headers.empty() ? std::string{} : headers.block());
}

std::string nats_connection::new_inbox() {
  core_->expect_here("nats_connection::new_inbox");
  return core_->new_inbox();
}

deferred<void> nats_connection::flush(duration timeout, source_location where) {
  core_->expect_here("nats_connection::flush");
  return core_->flush(timeout, where);
}

deferred<void> nats_connection::drain(duration timeout, source_location where) {
  core_->expect_here("nats_connection::drain");
  (void)service::stop_service();
  return core_->drain(timeout, where);
}

std::size_t nats_connection::unsent() const noexcept {
  return core_->unsent();
}

std::size_t nats_connection::pending_requests() const noexcept {
  return core_->pending_requests();
}

nats_connection_counts nats_connection::counts() const noexcept {
  return core_->counts();
}

clock& nats_connection::time() const noexcept {
  return core_->time();
}

} // namespace troupe
