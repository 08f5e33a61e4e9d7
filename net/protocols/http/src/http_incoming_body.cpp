#include <troupe/http/detail/http_incoming_body.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::detail {

deferred<std::string> http_incoming_body::read(bool all, std::size_t limit) {
  if (awaited())
    throw std::logic_error("another read of this body waits");
  wants_all_ = all;
  limit_ = limit;
  return reader_.emplace().get_deferred();
}

bool http_incoming_body::hand() {
  if (!awaited())
    return true;
  if (wants_all_) {
    if (text.size() > limit_)
      return false;
    if (!ended)
      return true;
  } else if (text.empty() && !ended) {
    return true;
  }
  auto fired = *std::exchange(reader_, std::nullopt);
  if (wants_all_ || text.size() <= largest_piece) {
    fired.callback(std::exchange(text, {}));
  } else {
    auto piece = text.substr(0, largest_piece);
    text.erase(0, largest_piece);
    fired.callback(std::move(piece));
  }
  return true;
}

void http_incoming_body::fail(const failure& why) {
  if (!broken)
    broken = why;
  if (auto fired = std::exchange(reader_, std::nullopt); fired && !fired->called())
    fired->errback(why);
}

void http_incoming_body::clear() {
  text.clear();
  ended = false;
  broken = {};
  reader_.reset();
}

} // namespace troupe::detail
