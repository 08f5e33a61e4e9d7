#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace bench {

/// A server program that runs as a child process, and ends with this object.
class server {
public:
  /// Starts `command`, and reads its output until it tells where it listens: `127.0.0.1:PORT`, or
  /// `unix:@NAME`, a name of Linux's abstract ones.
  ///
  /// \param core  the core that it is tied to; -1 for any
  /// \throws std::runtime_error if it does not tell within 20 s
  explicit server(std::vector<std::string> command, int core = 0);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; } ///< empty over TCP

  /// Returns the CPU time of all its threads, in nanoseconds.
  [[nodiscard]] std::uint64_t cpu_ns() const;

  /// Returns its resident anonymous memory, in bytes.
  [[nodiscard]] std::uint64_t resident() const;

  /// Returns how often its threads were switched to or from, of their own will or not.
  [[nodiscard]] std::uint64_t context_switches() const;

private:
  void end() noexcept;

  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::string name_;
};

/// Shows what servers and programs print on their standard error, which is dropped otherwise.
void show_errors();

/// Lets this process and its children have as many descriptors as the system allows.
///
/// \returns how many
std::size_t raise_descriptor_limit();

/// Waits until no other process on this machine measures, and keeps others waiting until this one
/// ends: two at once use the same cores, and spoil each other's figures.
void take_turn();

/// Tells whether a program is there, by its path or in one of the folders of `PATH`.
bool installed(const std::string& program);

/// Runs `command` to its end and returns what it printed.
///
/// \throws std::runtime_error if it fails, or takes longer than two minutes
std::string run(const std::vector<std::string>& command, int core = 0);

/// Ties the calling thread to a core, if there are several; -1 lets it run on all of them.
void pin_to(int core);

} // namespace bench
