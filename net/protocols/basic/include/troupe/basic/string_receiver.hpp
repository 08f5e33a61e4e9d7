#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/net/protocol.hpp>

namespace troupe {

/// Receives strings, which may have any bytes in them: what `int8_receiver`, `int16_receiver`,
/// `int32_receiver` and `netstring_receiver` have in common.
///
/// What is delivered does not depend on how the network cut the input in pieces. A string that lies
/// whole in what came is not copied; only an unfinished one is, and that memory is given back with it.
///
/// Nothing is delivered once the connection is told to close, the actor to quit, or the peer has broken
/// the protocol: what came behind is dropped.
///
/// ```cpp
/// class shout : public troupe::netstring_receiver {
/// public:
///   using netstring_receiver::netstring_receiver;
///   void string_received(std::string_view text) override { send_string(std::string{text} + "!"); }
/// };
/// ```
///
/// Thread: its loop's.
class string_receiver : public protocol {
public:
  using super = protocol;

  /// How many bytes a string may have unless `set_max_length` says otherwise. Source: MAX_LENGTH
  static constexpr std::size_t default_max_length = 99'999;

  explicit string_receiver(caf::actor_config& cfg);
  ~string_receiver() override;

  // -- what to override -------------------------------------------------------------------------

  /// A string came; it may be empty, and is good for this call only.
  virtual void string_received(std::string_view string) = 0;

  // -- what it has ------------------------------------------------------------------------------

  /// Sends `string` with its frame, as one write.
  ///
  /// \throws std::length_error if it is longer than `max_sent`, and then nothing is written
  virtual void send_string(std::string_view string) = 0;

  /// Delivers nothing and stops reading until `resume_strings`. What came already is kept.
  void pause_strings();

  /// Goes on, first with what was kept; that is delivered inside this call, unless it is made
  /// within a callback of this class, which continues when that returns.
  void resume_strings();

  /// Tells whether it is paused.
  [[nodiscard]] bool paused() const noexcept { return paused_; }

  /// Sets how many bytes a string may have, in either direction.
  virtual void set_max_length(std::size_t bytes) = 0;
  [[nodiscard]] virtual std::size_t max_length() const noexcept = 0;

  /// Sets how many bytes a string may have that is sent, where the peer takes others than this side.
  void set_max_sent(std::size_t bytes) noexcept { max_sent_ = bytes; }

  /// Returns how many bytes a string may have that is sent: at most what a length can say.
  [[nodiscard]] virtual std::size_t max_sent() const noexcept;

  /// An override that calls this one sees where a read begins and ends.
  void data_received(bytes_view data) override;

protected:
  enum class found : std::uint8_t { nothing, string, failure };

  /// Takes from the front of `in` up to the end of the next string.
  virtual found find_string(std::string_view& in, std::string_view& string) = 0;

  /// What came breaks the protocol. Called once, and nothing is delivered behind it.
  virtual void refuse_input() = 0;

  /// \throws std::length_error if a string of `size` bytes may not be sent
  void check_sent(std::size_t size) const;

private:
  struct kept_input;

  static constexpr std::size_t as_received = static_cast<std::size_t>(-1);

  bool stopped() const noexcept;
  void keep(std::string_view data);
  void deliver(std::string_view data);

  std::unique_ptr<kept_input> kept_; // while paused; none for most
  std::size_t max_sent_ = as_received;
  bool paused_ = false;
  bool delivering_ = false;
  bool failed_ = false;
};

} // namespace troupe
