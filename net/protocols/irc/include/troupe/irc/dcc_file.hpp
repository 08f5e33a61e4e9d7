#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <troupe/irc/dcc_connection.hpp>
#include <troupe/irc/dcc_request.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe::irc {

// -- receiving --------------------------------------------------------------------------------------

/// How a file is received, and where it goes.
struct dcc_receive_options {
  std::string folder = "."; ///< where files come to
  std::string name{};       ///< of the file there; empty: `dcc_file_name` of what it is called
  bool overwrite = false;   ///< a file that is there; else it is an error that it exists

  /// Goes on with a file that is there, from this position on, which the sender has accepted: the file is cut
  /// there. It is an error if there is none.
  std::optional<std::uint64_t> resume_at{};

  dcc_rules rules{};
  duration connect_timeout = std::chrono::seconds{30};
  duration silence = std::chrono::seconds{120}; ///< of the sender; more: `errc::idle_timed_out`
};

/// A file that has come, whole.
struct dcc_received {
  std::string path;
  std::uint64_t bytes = 0; ///< of the whole file
};

/// Connects to who offers a file, and writes what comes; files are opened and written in threads of the pool, and
/// no faster is read. It tells the sender how much it has, modulo 2^32, and stops at the size that was
/// announced. No link is followed at the file's own name, and nothing but a plain file is written to.
///
/// What came of a file stays there if the rest does not come: `resume_request` asks for it.
///
/// Cancelling ends it. Fails with: `errc::invalid_argument` and `dcc_refusal`; why it cannot connect; what the
/// system says of the file; `errc::connection_lost`, "12 bytes short".
/// Thread: any loop's. Source: twisted.words.protocols.irc.DccFileReceive
[[nodiscard]] deferred<dcc_received> receive_file(runtime& rt, const dcc_request& offer,
                                                  dcc_receive_options options = {});

/// What is sent to who offered a file on port 0, and what comes of it.
struct dcc_answered {
  dcc_request reply;
  deferred<dcc_received> received;
};

/// As `receive_file`, for an offer with port 0 and a token: this side listens.
///
/// \param own  its address as the sender can reach it, in numbers
/// \throws cannot_listen_error as `listen_dcc`
[[nodiscard]] dcc_answered receive_file_here(runtime& rt, const dcc_request& offer,
                                             const std::string& own,
                                             dcc_receive_options options = {},
                                             const dcc_listen_options& listen = {});

/// Returns the request to go on behind `position`; once a `dcc_request` of kind accept with the same port or
/// token has come, it is `receive_file` with its position.
[[nodiscard]] dcc_request resume_request(const dcc_request& offer, std::uint64_t position);

// -- sending ----------------------------------------------------------------------------------------

/// A file that is offered to one, until it is sent or nobody comes for it.
///
/// ```cpp
/// const auto offer = troupe::irc::offer_file(rt_, "/srv/notes.txt", transport().get_host().host());
/// dcc("ann", offer->request());
/// ```
///
/// Dropping it changes nothing. Thread: the loop on which it was made.
class dcc_offer {
public:
  virtual ~dcc_offer() = default;

  [[nodiscard]] virtual const dcc_request& request() const = 0;

  /// The receiver has a part: sends from there on.
  ///
  /// \returns what to answer, or nothing if that is not about this file, or too late
  virtual std::optional<dcc_request> resume(const dcc_request& wanted) = 0;

  /// Ends it, whatever is under way.
  virtual void withdraw() = 0;

  /// Fires with how many bytes the receiver has, once it has said that it has all, or has closed behind the
  /// last one. To be taken once.
  ///
  /// Fails with: `errc::timed_out` if nobody comes; `errc::idle_timed_out`; `errc::connection_lost` if it ends
  /// early, or the file has become shorter; `errc::cancelled`
  [[nodiscard]] virtual deferred<std::uint64_t> sent() = 0;
};

/// Offers a file of this process's own choice, and listens for who wants it. It is opened here, and sent as
/// `send_file` does.
///
/// \param own  the address of this machine as the receiver can reach it, in numbers
/// \param wait_for_end  how long the receiver may take nothing and say nothing, also behind the last byte
/// \throws std::system_error if the file cannot be opened, or is none; cannot_listen_error
/// Thread: any loop's. Source: twisted.words.protocols.irc.DccSendFactory
[[nodiscard]] std::shared_ptr<dcc_offer>
offer_file(runtime& rt, const std::string& path, const std::string& own,
           const dcc_listen_options& listen = {},
           duration wait_for_end = std::chrono::seconds{120});

} // namespace troupe::irc
