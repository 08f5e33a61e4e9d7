#pragma once

#include <optional>
#include <string>

#include "support/pipe_client.hpp"
#include "unique_fd.hpp"

namespace troupe::testing {

/// The test as a child process: it plays the program whose place `lend_pipes` holds, and so has the
/// very ends of the pipes that a program would have.
class program_played {
public:
  static const char* executable() noexcept; ///< to be started with `argument()`
  [[nodiscard]] const std::string& argument() const noexcept { return name_; }

  program_played();
  ~program_played(); ///< the child has exited then

  /// Waits until the child has lent its pipes, or until `killed` can be read: then there will be none.
  void begin(const troupe::detail::unique_fd& killed);

  void send(std::string_view data) { pipes_.value().send(data); }
  std::string receive(std::size_t size) { return pipes_.value().receive(size); }

  /// Receives until the end of its input. If its output is closed too, it exits.
  std::string rest();

  /// Closes its output. If its input has ended too, it exits.
  void shut_write();

  void exit(); ///< with code 0
  void kill(); ///< exits by SIGKILL

  /// Tells whether it has exited without having been told to.
  bool was_killed();

private:
  void let_exit() { control_ = {}; }
  bool exits(); // within ten seconds

  std::string name_;
  troupe::detail::unique_fd listener_;
  troupe::detail::unique_fd control_; // the child exits when this is closed
  troupe::detail::unique_fd pidfd_;
  std::optional<pipe_client> pipes_;
  bool input_ended_ = false;
  bool output_closed_ = false;
};

} // namespace troupe::testing
