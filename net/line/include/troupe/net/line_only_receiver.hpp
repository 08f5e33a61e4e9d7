#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/net/any_line_end.hpp>
#include <troupe/net/protocol.hpp>

namespace troupe {

/// Receives lines and nothing else: `line_receiver` without raw mode and pausing.
///
/// Nothing is delivered once the connection is told to close, or the actor to quit.
///
/// Thread: its loop's. Source: twisted.protocols.basic.LineOnlyReceiver
class line_only_receiver : public protocol {
public:
  using super = protocol;

  explicit line_only_receiver(caf::actor_config& cfg);
  ~line_only_receiver() override;

  // -- what to override -------------------------------------------------------------------------

  /// A line came, without its delimiter. It is good for this call only.
  virtual void line_received(std::string_view line) = 0;

  /// `line` is too long; it may be the beginning of one whose end has not come. It is gone, and
  /// what comes behind it is taken for lines again. Closes with `errc::line_too_long` unless
  /// overridden.
  virtual void line_length_exceeded(bytes_view line);

  // -- what it has ------------------------------------------------------------------------------

  /// Sends `line` and the delimiter.
  void send_line(std::string_view line);

  /// Sets what ends a line; CR LF at first. Not within a callback of this class.
  ///
  /// \throws std::invalid_argument if `delimiter` is empty
  void set_delimiter(std::string_view delimiter);

  /// Lets LF end a line, and CR LF too, as `line_receiver` does. Not within a callback of this class.
  void set_delimiter(any_line_end_t);

  [[nodiscard]] std::string_view delimiter() const noexcept {
    return delimiter_ ? std::string_view{*delimiter_} : std::string_view{"\r\n"};
  }

  /// Sets how many bytes a line may have without its delimiter; 16,384 at first.
  void set_max_length(std::uint32_t bytes) noexcept { max_length_ = bytes; }
  [[nodiscard]] std::size_t max_length() const noexcept { return max_length_; }

  void data_received(bytes_view data) final;

private:
  bool stopped() const noexcept;
  bool too_long(std::string_view unfinished) const noexcept;
  std::string_view received_end() const noexcept;
  void hand(std::string_view line);

  std::unique_ptr<std::string> unfinished_;      // none for most: an idle connection stays small
  std::unique_ptr<const std::string> delimiter_; // none is CR LF
  std::uint32_t max_length_ = 16384;
  bool any_end_ = false; // LF ends a line, and a CR in front of it is no part of the line
};

} // namespace troupe
