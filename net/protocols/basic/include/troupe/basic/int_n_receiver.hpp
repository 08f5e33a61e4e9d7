#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <troupe/basic/int_n_parser.hpp>
#include <troupe/basic/string_receiver.hpp>

namespace troupe {

/// Receives strings that each come behind their length, a big-endian number: the base of
/// `int8_receiver`, `int16_receiver` and `int32_receiver`.
///
/// Thread: its loop's. Source: twisted.protocols.basic.IntNStringReceiver
class int_n_receiver : public string_receiver {
public:
  /// \param prefix  how many bytes a length has: 1, 2 or 4
  int_n_receiver(caf::actor_config& cfg, std::uint8_t prefix) noexcept
    : string_receiver(cfg), parser_(prefix, default_max_length), prefix_(prefix) {}

  /// The peer announces a string of `length` bytes, more than `max_length`; nothing of it has been
  /// kept, and nothing is delivered any more. Closes with `errc::message_too_long` unless overridden.
  virtual void length_limit_exceeded(std::uint64_t length);

  void send_string(std::string_view string) override;
  void set_max_length(std::size_t bytes) override { parser_.set_max_length(bytes); }
  [[nodiscard]] std::size_t max_length() const noexcept override { return parser_.max_length(); }
  [[nodiscard]] std::size_t max_sent() const noexcept override;

private:
  found find_string(std::string_view& in, std::string_view& string) final;
  void refuse_input() final;

  int_n_parser parser_;
  const std::uint8_t prefix_;
};

/// Strings of up to 255 bytes. Source: twisted.protocols.basic.Int8StringReceiver
class int8_receiver : public int_n_receiver {
public:
  explicit int8_receiver(caf::actor_config& cfg) : int_n_receiver(cfg, 1) {}
};

/// Strings of up to 65,535 bytes. Source: twisted.protocols.basic.Int16StringReceiver
class int16_receiver : public int_n_receiver {
public:
  explicit int16_receiver(caf::actor_config& cfg) : int_n_receiver(cfg, 2) {}
};

/// Strings of up to 99,999 bytes, or as many as `set_max_length` allows, up to 4 GiB.
/// Source: twisted.protocols.basic.Int32StringReceiver
class int32_receiver : public int_n_receiver {
public:
  explicit int32_receiver(caf::actor_config& cfg) : int_n_receiver(cfg, 4) {}
};

} // namespace troupe
