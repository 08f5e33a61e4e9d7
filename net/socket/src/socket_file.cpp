#include "socket_file.hpp"

#include <cerrno>
#include <optional>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lock_file.hpp"
#include "socket_address.hpp"

namespace troupe::detail {

namespace {

/// The file of a bound socket, and its lock.
class socket_file {
public:
  socket_file(std::string path, bool locked) : path_(std::move(path)) {
    if (locked)
      lock_.emplace(path_ + ".lock");
  }
  ~socket_file() {
    struct stat now {};
    if (ours_ && ::lstat(path_.c_str(), &now) == 0 && now.st_ino == ours_->st_ino
        && now.st_dev == ours_->st_dev) // nobody has put another one there
      ::unlink(path_.c_str());
  }
  socket_file(const socket_file&) = delete;
  socket_file& operator=(const socket_file&) = delete;

  /// Removes the socket that a process which died left behind. Only with the lock.
  ///
  /// \returns 0, or the error of a socket that is there and may be in use
  [[nodiscard]] int remove_stale(const sockaddr_storage& at) const noexcept {
    struct stat there {};
    if (!lock_ || ::lstat(path_.c_str(), &there) != 0 || !S_ISSOCK(there.st_mode))
      return 0;
    const int error = knock(at);
    if (error == ECONNREFUSED)
      ::unlink(path_.c_str());
    return error == ECONNREFUSED || error == ENOENT ? 0 : error;
  }

  void bound() {
    struct stat made {};
    if (::lstat(path_.c_str(), &made) == 0)
      ours_ = made;
  }

private:
  // Returns ECONNREFUSED if nobody has the socket. Asked with a socket of datagrams: the system
  // refuses it to a server of streams (EPROTOTYPE), and to a port that is connected elsewhere (EPERM),
  // and they see nothing of it.
  static int knock(const sockaddr_storage& at) noexcept {
    const unique_fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd)
      return errno;
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), length_of(at)) == 0)
      return EADDRINUSE;
    return errno == EPROTOTYPE || errno == EPERM ? EADDRINUSE : errno;
  }

  const std::string path_;
  std::optional<lock_file> lock_; // let go after the file is removed
  std::optional<struct stat> ours_;
};

} // namespace

listening_socket bind_unix(int type, const std::string& path, mode_t mode, bool locked) {
  const auto host = net_address::path(path);
  const auto at = parse_unix(path);
  if (!at)
    throw cannot_listen_error(host, at.error().code(), at.error().context());
  std::shared_ptr<socket_file> file;
  if (path[0] != '@') {
    try {
      file = std::make_shared<socket_file>(path, locked);
    } catch (const std::system_error& e) {
      if (e.code() == std::errc::resource_unavailable_try_again)
        throw cannot_listen_error(host, make_error_code(std::errc::address_in_use),
                                  "its lock is held");
      if (const auto whose = lock_file::foreign(path + ".lock"); !whose.empty())
        throw cannot_listen_error(host, make_error_code(std::errc::address_in_use), whose);
      throw cannot_listen_error(host, e.code(), "its lock " + path + ".lock");
    }
    if (const int error = file->remove_stale(*at); error != 0)
      throw cannot_listen_error(host, {error, std::system_category()},
                                error == EADDRINUSE ? "it is in use, though nobody holds its lock"
                                                    : "whether it is in use cannot be told");
  }
  const auto refuse = [&] {
    throw cannot_listen_error(host, {errno, std::system_category()});
  };
  unique_fd fd{::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd)
    refuse();
  // The file gets the mode of the socket, but for the process's mask: so nobody slips in before its
  // mode is what it was asked to be.
  if ((file && ::fchmod(fd.get(), mode) != 0)
      || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*at), length_of(*at)) != 0)
    refuse();
  if (file) {
    file->bound();
    if (::chmod(path.c_str(), mode) != 0)
      refuse();
  }
  return {std::move(fd), host, std::move(file)};
}

} // namespace troupe::detail
