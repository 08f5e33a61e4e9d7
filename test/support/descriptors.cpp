#include "support/descriptors.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "system_failure.hpp"

namespace troupe::testing {

namespace {

constexpr std::size_t most_descriptors = 253;

struct alignas(cmsghdr) control_buffer {
  std::byte bytes[CMSG_SPACE(most_descriptors * sizeof(int))];
};

} // namespace

file_descriptor named_descriptor(const std::string& name) {
  file_descriptor fd{::memfd_create(name.c_str(), MFD_CLOEXEC)};
  if (!fd)
    system_failure("descriptors", "memfd_create");
  return fd;
}

std::string name_of(const file_descriptor& fd) {
  const auto target =
    std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd.get())).string();
  const auto begin = target.find(':') + 1; // "/memfd:name (deleted)"
  return target.substr(begin, target.find(' ') - begin);
}

file_descriptor connect_plainly(const std::string& path) {
  file_descriptor fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un to{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    system_failure("descriptors", "connect");
  return fd;
}

bool send_with(int socket, std::string_view text, const std::vector<int>& descriptors, bool wait) {
  iovec piece{const_cast<char*>(text.data()), text.size()};
  control_buffer control;
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    auto* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
  }
  const auto sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
  if (sent < 0 && errno == EAGAIN)
    return false;
  if (sent != static_cast<ssize_t>(text.size()))
    system_failure("descriptors", "sendmsg");
  return true;
}

parcel receive_with(int socket, std::size_t most) {
  pollfd watched{.fd = socket, .events = POLLIN, .revents = 0};
  if (::poll(&watched, 1, 10'000) != 1)
    throw std::runtime_error("descriptors: nothing comes");
  parcel result;
  result.text.resize(most);
  iovec piece{result.text.data(), most};
  control_buffer control;
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  const auto count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (count < 0)
    system_failure("descriptors", "recvmsg");
  result.text.resize(static_cast<std::size_t>(count));
  for (auto* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h))
    for (std::size_t at = 0; at < h->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(h) + at, sizeof fd);
      result.descriptors.emplace_back(fd);
    }
  return result;
}

} // namespace troupe::testing
