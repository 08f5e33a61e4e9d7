// A program that is played by somebody else: it sends its standard input and output to who listens
// at the UNIX socket of the name given (of Linux's abstract ones), lets go of them, and exits when
// that connection is closed.

#include <cstddef>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 2)
    return 2;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const auto length = std::strlen(argv[1]);
  std::memcpy(to.sun_path + 1, argv[1], length);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to),
                static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length))
      != 0)
    return 3;

  constexpr int ends[] = {STDIN_FILENO, STDOUT_FILENO};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof ends)] = {};
  char byte = 0;
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  auto* const passed = CMSG_FIRSTHDR(&message);
  passed->cmsg_level = SOL_SOCKET;
  passed->cmsg_type = SCM_RIGHTS;
  passed->cmsg_len = CMSG_LEN(sizeof ends);
  std::memcpy(CMSG_DATA(passed), ends, sizeof ends);
  if (::sendmsg(fd, &message, MSG_NOSIGNAL) != 1)
    return 4;
  ::close(STDIN_FILENO);
  ::close(STDOUT_FILENO);
  return ::read(fd, &byte, 1) == 0 ? 0 : 5;
}
