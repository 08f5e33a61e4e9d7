#include <troupe/http/http_request.hpp>

#include <algorithm>
#include <stdexcept>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/net/protocol.hpp>

namespace troupe {

const http_request_head& http_request::head() const noexcept {
  return state_->head;
}

const http_fields& http_request::trailers() const noexcept {
  return state_->trailers;
}

std::string_view http_request::parameter(std::string_view name) const noexcept {
  for (const auto& [key, value] : state_->parameters)
    if (key == name)
      return value;
  return {};
}

void http_request::add_parameter(std::string name, std::string value) const {
  state_->parameters.emplace_back(std::move(name), std::move(value));
}

void http_request::clear_parameters() const noexcept {
  state_->parameters.clear();
}

std::string_view http_request::rest() const noexcept {
  const auto rest = path().substr(std::min(state_->rest_at, path().size()));
  return rest.empty() ? std::string_view{"/"} : rest;
}

void http_request::set_rest(std::size_t skipped) const noexcept {
  state_->rest_at = skipped;
}

deferred<std::string> http_request::read() const {
  if (state_->body.broken)
    return fail<std::string>(state_->body.broken);
  if (state_->exchange != nullptr)
    return state_->exchange->read_body(*state_, false, 0);
  return succeed(std::exchange(state_->body.text, {}));
}

deferred<std::string> http_request::read_all(std::size_t limit) const {
  if (state_->body.broken)
    return fail<std::string>(state_->body.broken);
  if (state_->exchange != nullptr)
    return state_->exchange->read_body(*state_, true, limit);
  return succeed(std::exchange(state_->body.text, {}));
}

bool http_request::connected() const noexcept {
  return state_->exchange != nullptr && state_->exchange->carrier().connected();
}

net_address http_request::peer() const {
  return actor().transport().get_peer();
}

net_address http_request::host_address() const {
  return actor().transport().get_host();
}

const tls_info* http_request::tls() const noexcept {
  return connected() ? state_->exchange->carrier().transport().tls() : nullptr;
}

protocol& http_request::actor() const {
  if (state_->exchange == nullptr)
    throw std::logic_error("http_request: the client has gone, or has its response");
  return state_->exchange->carrier();
}

} // namespace troupe
