#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>

#include <troupe/net/net_address.hpp>
#include <troupe/runtime/bytes.hpp>

#include "native_address.hpp"

namespace troupe::detail {

/// The memory into which all ports of one loop receive: found through the loop's Asio context, and
/// used within one call only, so an idle port owns no buffer.
class datagram_memory final : public asio::execution_context::service {
public:
  using key_type = datagram_memory; // as Asio wants it
  static inline asio::execution_context::id id;

  /// How many datagrams, and how many bytes of them, a port gets in a turn of the loop. Enough to
  /// make the system call cheap, few enough that a flooded port delays others by microseconds.
  static constexpr std::size_t most_datagrams = 64;
  static constexpr std::size_t most_bytes = most_datagrams * 8192;

  explicit datagram_memory(asio::execution_context& context);

  /// Returns how many datagrams of at most `size` bytes are received at once.
  [[nodiscard]] static std::size_t batch_of(std::size_t size) noexcept {
    return std::min(most_datagrams, most_bytes / size);
  }

  /// Receives what is there; a datagram longer than `size` is cut. Returns how many datagrams, or -1
  /// and `errno`.
  int receive(int fd, std::size_t size) noexcept;

  // -- what was received, until the next call ---------------------------------------------------

  [[nodiscard]] bytes_view data(int index) const noexcept;
  [[nodiscard]] bool truncated(int index) const noexcept;
  [[nodiscard]] bool from(int index, const native_address& peer) const noexcept;

  /// Returns who sent it. Peers that send again cost no conversion.
  [[nodiscard]] const net_address& sender(int index);

  /// Returns the native form of `address` if it is what `sender` returned, and not a copy; else null.
  [[nodiscard]] const native_address* native_of(const net_address& address) const noexcept;

private:
  void shutdown() override {}

  struct peer {
    native_address native;
    net_address address;
  };
  struct arrays; // what recvmmsg takes; its headers stay out of here

  static constexpr std::size_t known_peers = 64;

  std::unique_ptr<arrays> arrays_;
  std::unique_ptr<std::byte[]> bytes_; // pages that are never written take no memory
  std::unique_ptr<peer[]> peers_;
};

} // namespace troupe::detail
