#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <openssl/ssl.h>

#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/failure.hpp>

#include "tls_settings.hpp"

namespace troupe::detail {

/// One end of a TLS connection, without a network: what came is fed to it, and what is to be sent
/// it appends to a buffer, the sink.
///
/// States: handshake -> open -> closed by the peer, or failed. Sending and receiving close apart.
///
/// Thread: one.
class tls_engine {
public:
  enum class outcome : std::uint8_t {
    ok,
    wants_input, ///< nothing is wrong; more has to come
    closed,      ///< the peer said that no more will come
    failed,      ///< see `reason()`
  };

  /// \param sink         gets what is to be sent; may be shared by all engines of a thread
  /// \param host         of a client: the server's name or address, unless the context has another
  /// \param destination  of a client: under what its session is remembered; empty: `host`
  tls_engine(std::shared_ptr<const tls_settings> settings, std::vector<std::byte>& sink,
             const std::string& host = {}, const std::string& destination = {});
  tls_engine(const tls_engine&) = delete;
  tls_engine& operator=(const tls_engine&) = delete;
  ~tls_engine();

  /// Gives bytes that came. They must stay until `unread()` is empty, or has been taken away by
  /// the next call.
  void feed(bytes_view data) noexcept;

  /// Returns what was fed and is not used yet.
  [[nodiscard]] bytes_view unread() const noexcept { return input_; }

  /// Tells whether there may be more to read without more to feed.
  [[nodiscard]] bool holds_input() const noexcept;

  outcome handshake();

  /// Reads at most `into.size()` bytes that the peer has written, and says how many in `count`.
  outcome read(std::span<std::byte> into, std::size_t& count);

  /// Seals `data`. \returns false if the connection has failed
  bool write(bytes_view data);

  /// Says that no more will be written.
  void close_notify();

  /// Tells whether it failed because the peer sent records without data, which it may go on to do.
  [[nodiscard]] bool flooded() const noexcept { return empty_records_ > empty_records_at_most; }

  /// Returns why it failed.
  [[nodiscard]] const failure& reason() const noexcept { return reason_; }

  [[nodiscard]] const tls_settings& settings() const noexcept { return *settings_; }
  [[nodiscard]] const std::string& destination() const noexcept { return destination_; }
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }

  // -- for OpenSSL's callbacks ------------------------------------------------------------------

  static tls_engine& of(SSL* ssl) noexcept {
    return *static_cast<tls_engine*>(SSL_get_app_data(ssl));
  }

  /// Counts records that come, by their headers.
  static void note_record(int written, int version, int type, const void* data, std::size_t size,
                          SSL* ssl, void* engine);

  /// Remembers why a certificate was refused, which OpenSSL itself tells only in part.
  static int note_verification(int verified, X509_STORE_CTX* about);

private:
  static const BIO_METHOD* bio_method();
  static int bio_read(BIO* bio, char* into, int size);
  static int bio_write(BIO* bio, const char* data, int size);
  static long bio_control(BIO* bio, int command, long number, void* pointer);

  void be_client(const std::string& host, const std::string& destination);
  outcome outcome_of(int result);
  outcome fail();

  // A peer that sends more than this before the handshake is over is up to no good.
  static constexpr std::size_t handshake_bytes_at_most = 256 * 1024;

  // How many records without data a peer may send beyond those with data: key updates, tickets, empty
  // ones. Each costs us as much as 16 KiB of data do, and asks nothing of its sender.
  static constexpr std::uint32_t empty_records_at_most = 64;

  const std::shared_ptr<const tls_settings> settings_;
  std::vector<std::byte>& sink_;
  bytes_view input_;
  openssl_ptr<SSL> ssl_;
  std::string wanted_;      // the host that must be at the other end
  std::string destination_; // of the session
  std::string refusal_;     // why the peer's certificate is none
  failure reason_;
  std::uint32_t handshake_bytes_ = 0;
  std::uint32_t empty_records_ = 0;
  bool proven_ = false; // something has been read, so the peer has accepted us
};

} // namespace troupe::detail
