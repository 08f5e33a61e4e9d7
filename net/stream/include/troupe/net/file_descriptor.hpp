#pragma once

#include <utility>

namespace troupe {

/// Owns a descriptor of the system, and closes it.
///
/// ```cpp
/// transport().send_file_descriptor(troupe::file_descriptor::duplicate(STDOUT_FILENO));
/// ```
///
/// Thread: any, but not two at once.
class file_descriptor {
public:
  file_descriptor() noexcept = default; ///< none

  /// Takes over `fd`; -1 is none.
  explicit file_descriptor(int fd) noexcept : fd_(fd) {}

  file_descriptor(file_descriptor&& other) noexcept : fd_(other.release()) {}
  file_descriptor& operator=(file_descriptor&& other) noexcept {
    file_descriptor{std::move(other)}.swap(*this);
    return *this;
  }
  ~file_descriptor();

  /// Returns another descriptor of what `fd` refers to, which stays as it is. The copy is closed
  /// when the process executes a program.
  ///
  /// \throws std::system_error if `fd` is none, or the process may have no more
  [[nodiscard]] static file_descriptor duplicate(int fd);

  /// Tells whether there is one.
  explicit operator bool() const noexcept { return fd_ >= 0; }

  /// Returns its number, -1 for none; it stays owned.
  [[nodiscard]] int get() const noexcept { return fd_; }

  /// Returns its number, which the caller has to close from now on.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  void swap(file_descriptor& other) noexcept { std::swap(fd_, other.fd_); }

private:
  int fd_ = -1;
};

/// Implemented by a protocol that takes descriptors which its peer sends over a UNIX socket, beside
/// the bytes (`transport::send_file_descriptor`). For a protocol without it the system closes what
/// comes.
///
/// ```cpp
/// class copier : public troupe::protocol, public troupe::file_descriptor_receiver {
/// public:
///   using protocol::protocol;
///   void file_descriptor_received(troupe::file_descriptor fd) override { source_ = std::move(fd); }
///   ...
/// ```
///
/// Source: twisted.internet.interfaces.IFileDescriptorReceiver
class file_descriptor_receiver {
public:
  virtual ~file_descriptor_receiver() = default;

  /// A descriptor came; it is closed unless it is moved away. It is closed too when the process
  /// executes a program. What it refers to, and in which mode, is the peer's choice: trust it as far
  /// as the peer.
  ///
  /// Order: descriptors come in the order in which they were sent, and none behind the bytes that
  /// were written after it. It may come before bytes that were written before it: the system joins
  /// those with what follows. So a peer that sends several says in its bytes what each is for.
  ///
  /// If the process has no room for one, the connection ends with `errc::connection_lost` and that
  /// reason: the peer's words would be taken for another descriptor otherwise.
  virtual void file_descriptor_received(file_descriptor fd) = 0;
};

} // namespace troupe
