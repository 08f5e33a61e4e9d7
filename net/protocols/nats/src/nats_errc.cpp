#include <troupe/nats/nats_errc.hpp>

#include <algorithm>
#include <iterator>
#include <string>

namespace troupe {

namespace {

struct entry {
  nats_errc code;
  std::string_view name;
  std::string_view text;
};

constexpr entry entries[] = {
  {nats_errc::none, "none", "no error"},
  {nats_errc::no_responders, "no_responders", "nobody serves this subject"},
  {nats_errc::authorization_violation, "authorization_violation",
   "the server does not accept these credentials"},
  {nats_errc::permissions_violation, "permissions_violation",
   "the server does not permit this subject"},
  {nats_errc::server_error, "server_error", "the server complains"},
  {nats_errc::stale_connection, "stale_connection", "the server does not answer"},
  {nats_errc::slow_consumer, "slow_consumer", "messages came faster than they were taken"},
  {nats_errc::headers_not_supported, "headers_not_supported", "the server does not know headers"},
  {nats_errc::jetstream_unavailable, "jetstream_unavailable", "JetStream is not available"},
  {nats_errc::jetstream_error, "jetstream_error", "JetStream refuses"},
  {nats_errc::stream_not_found, "stream_not_found", "there is no such stream"},
  {nats_errc::consumer_not_found, "consumer_not_found", "there is no such consumer"},
  {nats_errc::message_not_found, "message_not_found", "there is no such message"},
  {nats_errc::wrong_last_sequence, "wrong_last_sequence", "the stream has gone on meanwhile"},
  {nats_errc::stream_exists, "stream_exists", "a stream of this name has another configuration"},
};

const entry* find(int code) noexcept {
  const auto* const found =
    std::find_if(std::begin(entries), std::end(entries),
                 [code](const entry& e) { return static_cast<int>(e.code) == code; });
  return found != std::end(entries) ? found : nullptr;
}

class category final : public std::error_category {
public:
  const char* name() const noexcept override { return "nats"; }
  std::string message(int value) const override {
    const auto* const e = find(value);
    return e != nullptr ? std::string{e->text} : "unknown error " + std::to_string(value);
  }
};

} // namespace

std::string_view name(nats_errc code) noexcept {
  const auto* const e = find(static_cast<int>(code));
  return e != nullptr ? e->name : "unknown";
}

const std::error_category& nats_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(nats_errc code) noexcept {
  return {static_cast<int>(code), nats_category()};
}

} // namespace troupe
