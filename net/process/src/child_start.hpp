#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <troupe/net/spawn_process.hpp>

#include "unique_fd.hpp"

namespace troupe::detail {

/// A pipe that is connected to a child's descriptor; our end does not block.
struct child_pipe {
  int fd = -1; // in the child
  bool we_write = false;
  unique_fd end;
};

/// A child process that runs.
struct started_child {
  pid_t pid = -1;
  unique_fd pidfd;
  std::vector<child_pipe> pipes;
  failure error; // if this is set, there is no child and nothing else
};

/// Starts a program.
///
/// The child shares our memory until it has executed the program, while the calling thread waits
/// (CLONE_VFORK): no page table is copied, and it can say what failed in a variable. In between it
/// makes plain system calls only, with what was prepared before: other threads may hold any lock, and
/// what libc keeps for a thread or a process is ours.
///
/// Thread: any.
started_child start_child(const std::string& executable, const std::vector<std::string>& args,
                          const process_options& options);

} // namespace troupe::detail
