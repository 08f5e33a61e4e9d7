#include <cerrno>
#include <optional>

#include <sys/socket.h>
#include <sys/stat.h>

#include "listening_socket.hpp"
#include "lock_file.hpp"
#include "socket_address.hpp"

namespace troupe::detail {

namespace {

/// The file of a socket that listens, and its lock.
class socket_file {
public:
  socket_file(std::string path, bool locked) : path_(std::move(path)) {
    if (locked)
      lock_.emplace(path_ + ".lock");
  }
  ~socket_file() {
    struct stat now {};
    if (inode_ != 0 && ::lstat(path_.c_str(), &now) == 0 && now.st_ino == inode_) // still ours
      ::unlink(path_.c_str());
  }
  socket_file(const socket_file&) = delete;
  socket_file& operator=(const socket_file&) = delete;

  /// Removes the socket that a process which died left behind. Only with the lock.
  void remove_stale() const {
    struct stat there {};
    if (lock_ && ::lstat(path_.c_str(), &there) == 0 && S_ISSOCK(there.st_mode))
      ::unlink(path_.c_str());
  }

  void bound() {
    struct stat made {};
    if (::lstat(path_.c_str(), &made) == 0)
      inode_ = made.st_ino;
  }

private:
  const std::string path_;
  std::optional<lock_file> lock_; // let go after the file is removed
  ino_t inode_ = 0;
};

} // namespace

listening_opener unix_listener(const std::string& path, const unix_listen_options& options) {
  return [path, backlog = options.backlog, mode = options.mode,
          locked = options.lock_file](const net_address*) {
    const net_address host{net_address::kind::unix_socket, path, 0};
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
        throw cannot_listen_error(host, e.code(), "its lock " + path + ".lock");
      }
      file->remove_stale();
    }
    unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const auto refuse = [&] {
      throw cannot_listen_error(host, {errno, std::system_category()});
    };
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*at), length_of(*at)) != 0)
      refuse();
    if (file) {
      file->bound();
      if (::chmod(path.c_str(), mode) != 0) // before it listens, so nobody slips in
        refuse();
    }
    if (::listen(fd.get(), backlog) != 0)
      refuse();
    return listening_socket{std::move(fd), host, std::move(file)};
  };
}

} // namespace troupe::detail
