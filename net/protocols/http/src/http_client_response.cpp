#include <troupe/http/http_client_response.hpp>

#include <stdexcept>
#include <utility>

#include <troupe/runtime/event_loop.hpp>

#include "http_client_connection.hpp"

namespace troupe {

namespace detail {

namespace {
constexpr std::size_t largest_piece = 64 * 1024;
}

http_client_body::~http_client_body() {
  if (connection == nullptr)
    return;
  if (event_loop::current() == &connection->loop()) // passes over what is left
    connection->wants_more();
  else // between turns, as before run()
    connection->loop().post(
      [c = connection, alive = caf::strong_actor_ptr{connection->ctrl()}] { c->wants_more(); });
}

bool http_client_body::full() const noexcept {
  return (!reader || reader->called()) && body.size() >= largest_piece;
}

// Gives a reader what there is for it.
void http_client_body::hand() {
  if (reader && reader->called()) // it was cancelled: what came is for the next one
    reader.reset();
  if (!reader)
    return;
  if (collects) {
    if (body.size() > collect_limit) {
      auto* const c = std::exchange(connection, nullptr);
      body = {};
      if (c != nullptr)
        c->enter("a response", [c] { c->abandon(); });
      return end_with({errc::message_too_long, "the body of " + url.text()});
    }
    if (!ended)
      return;
  } else if (body.empty() && !ended) {
    return;
  }
  auto fired = *std::exchange(reader, std::nullopt);
  if (collects || body.size() <= largest_piece) {
    fired.callback(std::exchange(body, {}));
  } else {
    auto piece = body.substr(0, largest_piece);
    body.erase(0, largest_piece);
    fired.callback(std::move(piece));
  }
}

void http_client_body::end_with(const failure& why) {
  connection = nullptr;
  if (!broken)
    broken = why;
  if (auto fired = std::exchange(reader, std::nullopt))
    fired->errback(why);
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
  if (s->reader && !s->reader->called())
    throw std::logic_error("http_client_response::read: another read waits");
  if (s->broken && (all || s->body.empty()))
    return fail<std::string>(s->broken);
  auto waits = s->reader.emplace().get_deferred();
  s->collects = all;
  s->collect_limit = limit;
  if (s->broken)
    s->ended = true; // what is left comes first
  s->hand();
  if (s->broken)
    s->ended = false;
  if (s->connection != nullptr)
    s->connection->wants_more();
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
