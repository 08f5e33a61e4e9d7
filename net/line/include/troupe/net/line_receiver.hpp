#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/net/any_line_end.hpp>
#include <troupe/net/protocol.hpp>

namespace troupe {

/// Receives lines; or raw bytes, in between, for as long as it wants them.
///
/// A line ends with the delimiter, CR LF unless set otherwise, and is delivered without it
/// (`text_line_receiver` takes LF as well). What
/// is delivered does not depend on how the network cut the input in pieces. Lines that arrive
/// whole are not copied; only an unfinished one is, and that memory is given back with the line.
///
/// States: line mode <-> raw mode (`set_raw_mode`, `set_line_mode`), each also paused. A change
/// made in a callback takes effect with the next byte.
///
/// Nothing is delivered once the connection is told to close, or the actor to quit: what came
/// behind is dropped.
///
/// ```cpp
/// class shout : public troupe::line_receiver {
/// public:
///   using line_receiver::line_receiver;
///   void line_received(std::string_view line) override { send_line(std::string{line} + "!"); }
/// };
/// ```
///
/// Thread: its loop's. Source: twisted.protocols.basic.LineReceiver
class line_receiver : public protocol {
public:
  using super = protocol;

  explicit line_receiver(caf::actor_config& cfg);
  ~line_receiver() override;

  // -- what to override -------------------------------------------------------------------------

  /// A line came. Any bytes but the delimiter may be in it, NUL too; it is good for this call only.
  virtual void line_received(std::string_view line) = 0;

  /// Some bytes came in raw mode, at least one; they are good for this call only. Quits with
  /// `errc::not_supported` unless overridden.
  virtual void raw_data_received(bytes_view data);

  /// The line that begins `data` is too long. `data` is all there is: that line as far as it
  /// came, and what came behind it. It is gone, unless given back with `set_line_mode(rest)`, or only
  /// the line is passed over with `skip_line(data)`. Closes with `errc::line_too_long` unless
  /// overridden.
  virtual void line_length_exceeded(bytes_view data);

  // -- what it has ------------------------------------------------------------------------------

  /// Sends `line` and the delimiter, as one write.
  void send_line(std::string_view line);

  /// Delivers what follows through `raw_data_received`.
  void set_raw_mode() noexcept {
    line_mode_ = false;
    skipping_ = false;
  }

  /// Delivers what follows as lines, `extra` first: the part of raw data that was too much.
  void set_line_mode(bytes_view extra = {});
  void set_line_mode(std::string_view extra) { set_line_mode(as_bytes(extra)); }

  /// Passes over the line that begins `data`, up to its end, which need not have come, and goes on
  /// with what is behind it. Of the line nothing is kept in memory meanwhile.
  ///
  /// \param data  what `line_length_exceeded` was given; within that call
  void skip_line(bytes_view data);

  /// Takes away what came and is not delivered: the unfinished line, and in a callback also what
  /// came behind the present line.
  std::string clear_line_buffer();

  /// Delivers nothing and stops reading until `resume_lines`. What came already is kept.
  ///
  /// It holds input back, where `producer::pause_producing` is about output: a protocol that is a
  /// producer too has both. Source: LineReceiver.pauseProducing
  void pause_lines();

  /// Goes on, first with what was kept; that is delivered inside this call, unless it is made
  /// within a callback of this class, which continues when that returns.
  void resume_lines();

  /// Tells whether it is paused.
  [[nodiscard]] bool paused() const noexcept { return paused_; }

  /// Sets what ends a line; CR LF at first.
  ///
  /// \throws std::invalid_argument if `delimiter` is empty
  void set_delimiter(std::string_view delimiter);

  /// Lets LF end a line, and CR LF too: one CR in front of the LF is part of the end. Another CR is a
  /// byte of the line. What is sent ends with CR LF.
  void set_delimiter(any_line_end_t);

  /// Returns what ends a line that is sent.
  [[nodiscard]] std::string_view delimiter() const noexcept {
    return delimiter_ ? std::string_view{*delimiter_} : std::string_view{"\r\n"};
  }

  /// Sets how many bytes a line may have without its delimiter; 16,384 at first, which is also
  /// about the most that an unfinished line can hold of this process's memory.
  void set_max_length(std::uint32_t bytes) noexcept { max_length_ = bytes; }
  [[nodiscard]] std::size_t max_length() const noexcept { return max_length_; }

  /// An override that calls this one sees where a read begins and ends.
  void data_received(bytes_view data) override;

protected:
  /// Delivers no further line while it is stopped. An override calls it.
  void hold_back(bool stopped) override;

private:
  struct kept_input;
  struct delivery;

  bool waits() const noexcept { return paused_ || held_back(); }
  void deliver_kept();
  bool stopped() const noexcept;
  std::string_view received_end() const noexcept;
  std::size_t without_cr(std::string_view tail, std::string_view data,
                         std::size_t size) const noexcept;
  void keep(std::string_view data);
  void keep_rest(delivery& d);
  void deliver(std::string_view data);
  bool finish_line(delivery& d);
  bool deliver_next(delivery& d);
  void hand_all(delivery& d);
  void hand_line(std::string_view line);

  std::unique_ptr<kept_input> kept_;             // none for most: an idle connection stays small
  std::unique_ptr<const std::string> delimiter_; // none is CR LF
  delivery* delivery_ = nullptr;                 // set while callbacks run
  std::uint32_t max_length_ = 16384;
  bool line_mode_ = true;
  bool paused_ = false;
  bool any_end_ = false;  // LF ends a line, and a CR in front of it is no part of the line
  bool skipping_ = false; // what comes is the rest of a line that is too long
};

} // namespace troupe
