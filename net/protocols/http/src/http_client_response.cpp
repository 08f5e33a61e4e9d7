#include <troupe/http/http_client_response.hpp>

#include <utility>

#include <troupe/http/detail/http_client_exchange.hpp>

namespace troupe {

namespace detail {

void http_client_body::hand() {
  if (body.hand())
    return;
  auto* const from = std::exchange(exchange, nullptr);
  body.text = {};
  if (from != nullptr)
    from->abandon();
  body.fail({errc::message_too_long, "the body of " + url.text()});
}

void http_client_body::end_with(const failure& why) {
  exchange = nullptr;
  body.fail(why);
}

} // namespace detail

http_client_response::http_client_response(std::shared_ptr<detail::http_client_body> state) noexcept
  : state_(std::move(state)) {}

http_client_response::http_client_response(http_client_response&&) noexcept = default;
http_client_response& http_client_response::operator=(http_client_response&&) noexcept = default;
http_client_response::~http_client_response() = default;

const http_response_head& http_client_response::head() const noexcept {
  return state_->head;
}

const http_fields& http_client_response::trailers() const noexcept {
  return state_->trailers;
}

const http_url& http_client_response::url() const noexcept {
  return state_->url;
}

const std::vector<http_url>& http_client_response::redirects() const noexcept {
  return state_->redirects;
}

bool http_client_response::decoded() const noexcept {
  return state_->decoded;
}

namespace {

deferred<std::string> read_body(const std::shared_ptr<detail::http_client_body>& of, bool all,
                                std::size_t limit) {
  const auto s = of; // who is called may drop the response
  if (s->body.broken && (all || s->body.text.empty()))
    return fail<std::string>(s->body.broken);
  auto waits = s->body.read(all, limit);
  s->hand();
  if (s->exchange != nullptr)
    s->exchange->wants_more();
  return waits;
}

} // namespace

deferred<std::string> http_client_response::read() {
  return read_body(state_, false, 0);
}

deferred<std::string> http_client_response::read_all(std::size_t limit) {
  const auto length = state_->head.content_length();
  if (length && *length > limit && !state_->decoded)
    return fail<std::string>({errc::message_too_long, "the body of " + state_->url.text()});
  return read_body(state_, true, limit);
}

} // namespace troupe
