#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <troupe/nats/nats_message.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

/// What a server says, one after the other. Views are good for the call only.
class nats_sink {
public:
  virtual ~nats_sink() = default;

  virtual void info_received(std::string_view json) = 0;

  /// \param sid  the number of the subscription that it is for
  virtual void message_received(std::uint64_t sid, const nats_message_view& message) = 0;
  virtual void ping_received() = 0;
  virtual void pong_received() = 0;
  virtual void ok_received() {}

  /// \param text  what stood between the quotes
  virtual void error_received(std::string_view text) = 0;
};

/// How much of what a server sends is kept.
struct nats_decoder_limits {
  /// The longest line, in bytes without its end. An INFO of a large cluster has some thousands.
  std::size_t max_line = std::size_t{64} * 1024;

  /// The largest message: its headers and payload together. Servers have 1 MiB at first, and advise
  /// against more than 8 MiB.
  std::size_t max_message = std::size_t{8} * 1024 * 1024;
};

/// Takes apart what a NATS server sends: bytes in any pieces, events out.
///
/// What lies whole in a piece is not copied. What is unfinished is kept: at most a line or a message as the
/// limits allow them; nothing is kept between them. Lines may end with LF alone, words of the protocol may
/// be small or capital, as with other clients.
///
/// ```cpp
/// const auto r = decoder.feed(bytes, sink);
/// if (r.error)
///   lose_connection(r.error);
/// ```
///
/// Thread: one. Source: the NATS client protocol
class nats_decoder {
public:
  explicit nats_decoder(nats_decoder_limits limits = {}) noexcept : limits_(limits) {}

  struct result {
    /// `errc::malformed_input`, `errc::line_too_long` or `errc::message_too_long`, with what was wrong; then
    /// nothing that is fed later has an effect.
    failure error;

    /// What was not looked at, after `stop`; it lies in what was fed.
    std::string_view rest;
  };

  /// Takes the next piece, and tells `sink` of all that is whole now.
  [[nodiscard]] result feed(std::string_view in, nats_sink& sink);

  /// Called by a sink: ends the present `feed` behind the present event. The next one goes on.
  void stop() noexcept { stopped_ = true; }

  /// Returns how many bytes are kept.
  [[nodiscard]] std::size_t kept() const noexcept { return kept_.size(); }

private:
  struct step {
    std::size_t used = 0;   // 0: it is not whole
    std::size_t wanted = 0; // then, of how many bytes it is known to consist; 0: not known
  };

  step take_one(std::string_view in, nats_sink& sink);
  step take_message(std::string_view line, std::string_view in, std::size_t begin, bool headers,
                    nats_sink& sink);
  void keep(std::string_view in, std::size_t wanted);
  void refuse(errc code, const char* what, std::string_view text = {});

  nats_decoder_limits limits_;
  std::string kept_;       // the beginning of what is unfinished
  std::size_t wanted_ = 0; // how long that is to be, if known
  bool stopped_ = false;
  failure error_;
};

} // namespace troupe
