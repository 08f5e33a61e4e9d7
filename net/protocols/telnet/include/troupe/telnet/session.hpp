#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/telnet/negotiation.hpp>
#include <troupe/telnet/parser.hpp>
#include <troupe/telnet/text.hpp>

namespace troupe {

/// One end of a telnet connection, without a transport: parser, negotiation and what waits for its
/// answers, for servers and clients alike. `telnet_protocol` puts it on a connection.
///
/// It agrees to no option unless `agrees` says so, and answers each refused request once. BINARY, where
/// it is agreed on, changes how text is sent and taken.
///
/// It takes what a `telnet_parser` finds: its own, or, as `telnet_events`, another one.
///
/// Thread: one at a time. Source: twisted.conch.telnet.Telnet, TelnetTransport
class telnet_session : public telnet_events {
public:
  explicit telnet_session(telnet_line_ends ends = telnet_line_ends::nvt) noexcept
    : parser_(ends), ends_(ends) {}
  ~telnet_session() override;

  /// Takes what the peer sent.
  void bytes_received(bytes_view data) { parser_.feed(data, *this); }

  // -- options ----------------------------------------------------------------------------------

  /// Offers to enable an option on this side, or to stop using it.
  ///
  /// \returns what fires when the peer has answered; dropped, a failure is logged as any
  /// Fails with: `telnet_errc::option_refused`, `already_negotiating`, `already_enabled`,
  /// `already_disabled`, `superseded` if the opposite was asked for before its turn came; what `end` is
  /// given.
  chained<void> will(telnet_option o) { return request_option(telnet_side::local, o, true); }
  chained<void> wont(telnet_option o) { return request_option(telnet_side::local, o, false); }

  /// Asks the peer to enable an option on its side, or to stop using it; else as `will`.
  chained<void> do_(telnet_option o) { return request_option(telnet_side::remote, o, true); }
  chained<void> dont(telnet_option o) { return request_option(telnet_side::remote, o, false); }

  [[nodiscard]] bool enabled(telnet_side side, telnet_option o) const noexcept {
    return options_.enabled(side, o);
  }

  // -- output -----------------------------------------------------------------------------------

  /// Sends text: LF becomes CR LF, a lone CR CR NUL, and 255 is doubled, which alone happens in BINARY.
  /// A CR that ends the text waits for what follows it.
  void send_text(std::string_view text);

  void send_command(telnet_command c);

  /// Sends a subnegotiation; 255 in `data` is doubled.
  void send_subnegotiation(telnet_option o, std::string_view data);

  /// Fails what waits for an answer; nothing is taken in any more.
  void end(const failure& why);

protected:
  // -- what to override -------------------------------------------------------------------------

  /// Sends bytes as they are.
  virtual void send_bytes(std::string_view bytes) = 0;

  /// Text came; see `telnet_parser` for the ends of its lines. It is good for this call only.
  virtual void text_received(std::string_view text) = 0;

  /// A command came, such as BRK. Answers AYT with "[Yes]" unless overridden.
  virtual void command_received(telnet_command c);

  /// Tells whether the peer may enable an option on its side, or have it enabled on this one: no, unless
  /// overridden.
  [[nodiscard]] virtual bool agrees(telnet_side, telnet_option) { return false; }

  /// An option was agreed on, or is off again, whoever asked for it.
  virtual void option_changed(telnet_side, telnet_option, bool /*enabled*/) {}

  /// A subnegotiation came, of any option: whether that is agreed on is for the override to ask.
  virtual void subnegotiation_received(telnet_option, std::string_view) {}

  [[nodiscard]] telnet_parser& parser() noexcept { return parser_; }

private:
  struct waiting {
    telnet_side side;
    telnet_option option;
    promise<void> answer;
  };

  void text(std::string_view data) final { text_received(data); }
  void command(telnet_command c) final { command_received(c); }
  void negotiation(telnet_command verb, telnet_option o) final;
  void subnegotiation(telnet_option o, std::string_view data) final {
    subnegotiation_received(o, data);
  }

  chained<void> request_option(telnet_side side, telnet_option o, bool enable);
  void answered(telnet_side side, telnet_option o, bool declined);
  void send_verb(telnet_command verb, telnet_option o);

  telnet_parser parser_;
  telnet_negotiation options_;
  std::vector<waiting> waiting_; // in the order in which they were asked for
  telnet_line_ends ends_;
  bool after_cr_ = false; // a CR at the end of what was sent waits for what follows
};

} // namespace troupe
