#include <troupe/net/connector.hpp>

#include <stdexcept>

#include "connecting.hpp"

namespace troupe {

namespace {

detail::connecting& require(const std::shared_ptr<detail::connecting>& of) {
  if (!of)
    throw std::logic_error("this connector refers to nothing");
  return *of;
}

// As `require`, for what its loop may do only.
detail::connecting& here(const std::shared_ptr<detail::connecting>& of, const char* function) {
  auto& c = require(of);
  c.loop().expect_here(function, "use call_from_thread");
  return c;
}

} // namespace

void connector::connect() {
  here(of_, "connect").connect();
}

void connector::disconnect() {
  here(of_, "disconnect").disconnect();
}

void connector::stop_connecting() {
  here(of_, "stop_connecting").stop_connecting(errc::cancelled);
}

const net_address& connector::get_destination() const {
  return require(of_).get_destination();
}

failure connector::last_failure() const {
  return require(of_).last_failure();
}

bool connector::supervised() const noexcept {
  return of_ && of_->was_watched();
}

connector::state connector::get_state() const noexcept {
  return of_ ? of_->get_state() : state::disconnected;
}

} // namespace troupe
