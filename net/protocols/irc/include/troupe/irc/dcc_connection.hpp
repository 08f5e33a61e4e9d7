#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <troupe/net/factory.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::irc {

/// Where one who was asked to connect is waited for.
struct dcc_listen_options {
  std::string interface = "0.0.0.0"; ///< the local address, as a number
  std::uint16_t port = 0;            ///< 0 takes a free one
  std::string expected_host{};       ///< the only address that is let in, as a number; empty: any
  duration wait = std::chrono::seconds{120};
};

/// Listens for one connection, for which `f` builds the protocol: the first from the expected address. Others
/// are closed. Then, or when `wait` has passed, the port is closed.
///
/// \param nobody_came  called if it has not been made in time, with `errc::timed_out`, or if the port is
///                     stopped before, with `errc::cancelled` or `errc::runtime_stopped`; may be empty
/// \throws cannot_listen_error if the address is in use, not ours, or not an address
/// Thread: any loop's, on which the connection is then; or before `run()`.
listening_port listen_dcc(runtime& rt, const factory_ref& f, const dcc_listen_options& options = {},
                          std::function<void(const failure&)> nobody_came = {});

/// A chat between two clients: lines that end in LF, of at most 512 bytes; of a longer one nothing is delivered.
///
/// It is built by `listen_dcc`, for who asked, or connects to where a `dcc_request` of kind chat says.
///
/// ```cpp
/// class mirror : public troupe::irc::dcc_chat {
/// public:
///   using dcc_chat::dcc_chat;
///   void message(std::string_view text) override { say(text); }
/// };
/// ```
///
/// Thread: its loop's. Source: twisted.words.protocols.irc.DccChat
class dcc_chat : public line_receiver {
public:
  explicit dcc_chat(caf::actor_config& cfg);

  /// The other one said this. Bytes of a stranger: see `client`.
  virtual void message(std::string_view text) = 0;

  /// Says a text, each of its lines by itself.
  void say(std::string_view text);

  void line_received(std::string_view line) final;
  void line_length_exceeded(bytes_view data) final;
};

} // namespace troupe::irc
