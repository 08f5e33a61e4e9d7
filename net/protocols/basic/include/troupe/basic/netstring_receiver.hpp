#pragma once

#include <cstddef>
#include <string_view>

#include <troupe/basic/netstring_parser.hpp>
#include <troupe/basic/string_receiver.hpp>

namespace troupe {

/// Receives netstrings: `5:hello,`.
///
/// Thread: its loop's. Source: twisted.protocols.basic.NetstringReceiver
class netstring_receiver : public string_receiver {
public:
  explicit netstring_receiver(caf::actor_config& cfg) noexcept
    : string_receiver(cfg), parser_(default_max_length) {}

  /// What came is no netstring, or one that is too long; nothing is delivered any more. Closes unless
  /// overridden: with `errc::message_too_long` if that is what is wrong, else `errc::malformed_input`,
  /// and a text that says what is.
  virtual void netstring_refused(netstring_error what);

  void send_string(std::string_view string) override;
  void set_max_length(std::size_t bytes) override { parser_.set_max_length(bytes); }
  [[nodiscard]] std::size_t max_length() const noexcept override { return parser_.max_length(); }

private:
  found find_string(std::string_view& in, std::string_view& string) final;
  void refuse_input() final;

  netstring_parser parser_;
};

} // namespace troupe
