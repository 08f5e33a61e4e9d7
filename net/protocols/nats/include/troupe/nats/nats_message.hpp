#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <caf/allowed_unsafe_message_type.hpp>

#include <troupe/nats/nats_headers.hpp>

namespace troupe {

/// A message as it lies in the input: good for the call that it is passed to, and nothing of it is copied.
struct nats_message_view {
  std::string_view subject{};
  std::string_view reply{};        ///< where an answer is wanted; empty: nowhere
  std::string_view header_block{}; ///< as it was sent; empty: there are none
  std::string_view payload{};

  [[nodiscard]] bool has_headers() const noexcept { return !header_block.empty(); }

  /// Reads the headers; without any there are none. Fails as `nats_headers::parse`.
  [[nodiscard]] outcome<nats_headers> headers() const {
    return has_headers() ? nats_headers::parse(header_block)
                         : outcome<nats_headers>{nats_headers{}};
  }

  /// Returns the status of a message that the server made, such as 503; 0 for any other.
  [[nodiscard]] std::uint16_t status() const noexcept { return nats_status(header_block); }

  /// Returns how many bytes it has.
  [[nodiscard]] std::size_t size() const noexcept {
    return subject.size() + reply.size() + header_block.size() + payload.size();
  }
};

/// A message that is one's own; sent to an actor, it stays in this process.
///
/// Thread: any, as a value.
class nats_message {
public:
  nats_message() = default;
  explicit nats_message(const nats_message_view& m)
    : subject(m.subject), reply(m.reply), header_block(m.header_block), payload(m.payload) {}

  std::string subject;
  std::string reply;
  std::string header_block;
  std::string payload;

  [[nodiscard]] nats_message_view view() const noexcept {
    return {subject, reply, header_block, payload};
  }
  [[nodiscard]] bool has_headers() const noexcept { return !header_block.empty(); }
  [[nodiscard]] outcome<nats_headers> headers() const { return view().headers(); }
  [[nodiscard]] std::uint16_t status() const noexcept { return view().status(); }
  [[nodiscard]] std::size_t size() const noexcept { return view().size(); }

  /// Keeps `ticket` for as long as a copy of this message exists: so it is known when it was dealt with.
  void hold(std::shared_ptr<const void> ticket) noexcept { ticket_ = std::move(ticket); }

private:
  std::shared_ptr<const void> ticket_;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::nats_message)
