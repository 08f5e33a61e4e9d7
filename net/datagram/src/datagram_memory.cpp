#include "datagram_memory.hpp"

#include <functional>

#include <netinet/in.h>
#include <sys/socket.h>

namespace troupe::detail {

struct datagram_memory::arrays {
  std::array<mmsghdr, most_datagrams> headers{};
  std::array<iovec, most_datagrams> buffers{};
  std::array<sockaddr_storage, most_datagrams> senders{};
};

datagram_memory::datagram_memory(asio::execution_context& context)
  : asio::execution_context::service(context), arrays_(std::make_unique<arrays>()),
    bytes_(std::make_unique_for_overwrite<std::byte[]>(most_bytes)),
    peers_(std::make_unique<peer[]>(known_peers)) {
  for (std::size_t i = 0; i < most_datagrams; ++i) {
    auto& header = arrays_->headers[i].msg_hdr;
    header.msg_name = &arrays_->senders[i];
    header.msg_iov = &arrays_->buffers[i];
    header.msg_iovlen = 1;
  }
}

int datagram_memory::receive(int fd, std::size_t size) noexcept {
  const auto batch = batch_of(size);
  for (std::size_t i = 0; i < batch; ++i) {
    arrays_->headers[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    arrays_->buffers[i] = {bytes_.get() + i * size, size};
  }
  return ::recvmmsg(fd, arrays_->headers.data(), static_cast<unsigned>(batch), MSG_DONTWAIT,
                    nullptr);
}

bytes_view datagram_memory::data(int index) const noexcept {
  const auto i = static_cast<std::size_t>(index);
  return {static_cast<const std::byte*>(arrays_->buffers[i].iov_base), arrays_->headers[i].msg_len};
}

bool datagram_memory::truncated(int index) const noexcept {
  return (arrays_->headers[static_cast<std::size_t>(index)].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

bool datagram_memory::from(int index, const native_address& peer) const noexcept {
  const auto i = static_cast<std::size_t>(index);
  return peer.is(&arrays_->senders[i], arrays_->headers[i].msg_hdr.msg_namelen);
}

const net_address& datagram_memory::sender(int index) {
  const auto i = static_cast<std::size_t>(index);
  const auto& from = arrays_->senders[i];
  const auto length = arrays_->headers[i].msg_hdr.msg_namelen;
  const std::string_view raw{reinterpret_cast<const char*>(&from), length};
  auto& known = peers_[std::hash<std::string_view>{}(raw) % known_peers];
  if (length == 0 || !known.native.is(&from, length)) {
    std::memcpy(&known.native.storage, &from, length);
    known.native.length = length;
    // Only UNIX sockets may be without a name.
    known.address = length == 0 ? net_address::path({}) : known.native.to_address();
  }
  return known.address;
}

const native_address* datagram_memory::native_of(const net_address& address) const noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(&address);
  const auto first = reinterpret_cast<std::uintptr_t>(&peers_[0].address);
  if (at < first || at - first >= known_peers * sizeof(peer) || (at - first) % sizeof(peer) != 0)
    return nullptr;
  const auto& known = peers_[(at - first) / sizeof(peer)].native;
  return known.length != 0 ? &known : nullptr;
}

} // namespace troupe::detail
