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

} // namespace

void connector::connect() {
  require(of_).connect();
}

void connector::disconnect() {
  require(of_).disconnect();
}

void connector::stop_connecting() {
  require(of_).stop_connecting(errc::cancelled);
}

const net_address& connector::get_destination() const {
  return require(of_).get_destination();
}

failure connector::last_failure() const {
  return require(of_).last_failure();
}

connector::state connector::get_state() const noexcept {
  return of_ ? of_->get_state() : state::disconnected;
}

} // namespace troupe
