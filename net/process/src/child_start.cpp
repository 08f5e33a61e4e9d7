#include "child_start.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <memory>

#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Sanitizers' checks use memory of the thread that waits, and so must not run in the child.
#define TROUPE_IN_CHILD                                                                            \
  __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"), noinline))

// glibc's other name for `clone`. Under that one the thread sanitizer takes the child for a fork's,
// and, since memory is shared, from then on ignores what the parent's thread synchronises with.
extern "C" int __clone(int (*fn)(void*), void* stack, int flags, void* arg, ...);

namespace troupe::detail {

namespace {

struct moved_fd {
  unique_fd from; // higher than all targets, so no move overwrites the source of another
  int to = -1;
};

struct fd_range {
  unsigned first;
  unsigned last;
};

struct raw_move {
  int from;
  int to;
};

// All that the child needs, in plain memory.
struct child_plan {
  char* const* paths = nullptr; // to try, ends with null
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const char* directory = nullptr;
  const raw_move* moves = nullptr;
  std::size_t move_count = 0;
  const fd_range* closed = nullptr; // all that is not a target of a move
  std::size_t closed_count = 0;
  unsigned most_fds = 0;
  const int* signals = nullptr; // to give their default action, ends with 0
  bool session = false;         // it leads one of its own
  bool terminal = false;        // and 0 becomes its terminal
  int parent_death_signal = 0;
  pid_t parent = 0; // who must be there for it
  bool drop_groups = false;
  bool has_uid = false;
  bool has_gid = false;
  uid_t uid = 0;
  gid_t gid = 0;

  int error = 0; // written by the child
  const char* step = nullptr;
};

TROUPE_IN_CHILD bool failed(child_plan& plan, long result, const char* step) {
  if (result >= 0)
    return false;
  plan.error = errno;
  plan.step = step;
  return true;
}

TROUPE_IN_CHILD void close_range(const fd_range& range, unsigned most_fds) {
  if (::syscall(SYS_close_range, range.first, range.last, 0) == 0)
    return;
  for (unsigned fd = range.first; fd <= range.last && fd < most_fds; ++fd) // before Linux 5.9
    ::syscall(SYS_close, fd);
}

TROUPE_IN_CHILD bool prepare(child_plan& plan) {
  if (plan.directory != nullptr && failed(plan, ::syscall(SYS_chdir, plan.directory), "directory"))
    return false;
  for (std::size_t i = 0; i < plan.move_count; ++i)
    if (failed(plan, ::syscall(SYS_dup3, plan.moves[i].from, plan.moves[i].to, 0), "descriptor"))
      return false;
  for (std::size_t i = 0; i < plan.closed_count; ++i)
    close_range(plan.closed[i], plan.most_fds);
  if (plan.session && failed(plan, ::syscall(SYS_setsid), "session"))
    return false;
  if (plan.terminal && failed(plan, ::syscall(SYS_ioctl, 0, TIOCSCTTY, 0), "terminal"))
    return false;
  if (plan.drop_groups && failed(plan, ::syscall(SYS_setgroups, 0, nullptr), "groups"))
    return false;
  if (plan.has_gid && failed(plan, ::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid), "gid"))
    return false;
  if (plan.has_uid && failed(plan, ::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid), "uid"))
    return false;
  // Behind the change of user, which takes it back. If the parent had ended before, the system would never send it; a
  // parent outside of the namespace is 0, and cannot be asked for.
  if (plan.parent_death_signal != 0) {
    if (failed(plan, ::syscall(SYS_prctl, PR_SET_PDEATHSIG, plan.parent_death_signal, 0, 0, 0),
               "parent_death_signal"))
      return false;
    const auto parent = ::syscall(SYS_getppid);
    if (parent != plan.parent && parent != 0)
      ::syscall(SYS_exit_group, 127);
  }
  // Zeros are the default action and an empty mask, on every architecture.
  const unsigned long zeros[8] = {};
  for (const int* s = plan.signals; *s != 0; ++s)
    ::syscall(SYS_rt_sigaction, *s, zeros, nullptr, sizeof(unsigned long));
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, zeros, nullptr, sizeof(unsigned long));
  return true;
}

TROUPE_IN_CHILD int run_child(void* arg) {
  auto& plan = *static_cast<child_plan*>(arg);
  if (prepare(plan)) {
    int error = ENOENT;
    for (char* const* path = plan.paths; *path != nullptr; ++path) {
      ::syscall(SYS_execve, *path, plan.argv, plan.envp);
      if (errno != ENOENT && errno != ENOTDIR) // the most telling of several
        error = errno;
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
        break;
    }
    plan.error = error;
    plan.step = "executable";
  }
  ::syscall(SYS_exit_group, 127);
  return 127;
}

bool has_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

std::string system_text(int error) {
  return std::system_category().message(error);
}

// A row of C strings over `texts`, which ends with null.
std::vector<char*> c_strings(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& t : texts)
    result.push_back(t.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> paths_of(const std::string& executable, const process_options& options) {
  if (executable.find('/') != std::string::npos || executable.empty())
    return {executable};
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  if (options.env) {
    if (const auto found = options.env->find("PATH"); found != options.env->end())
      path = found->second;
  } else if (const char* const ours = ::getenv("PATH")) {
    path = ours;
  }
  std::vector<std::string> result;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find(':', begin), path.size());
    const auto folder = path.substr(begin, end - begin);
    result.push_back(folder.empty() ? "./" + executable : folder + '/' + executable);
    begin = end + 1;
  }
  return result;
}

// Ignored ones would stay ignored, and no handler of ours may run in the child once it unblocks.
std::vector<int> changed_signals() {
  std::vector<int> result;
  for (int s = 1; s < NSIG; ++s) {
    struct sigaction now {};
    if (::sigaction(s, nullptr, &now) == 0 && now.sa_handler != SIG_DFL)
      result.push_back(s);
  }
  result.push_back(0);
  return result;
}

// Where SIGCHLD is ignored, which may be inherited, the system forgets at once how a child ended.
void keep_exit_statuses() {
  struct sigaction now {};
  if (::sigaction(SIGCHLD, nullptr, &now) != 0)
    return;
  const bool ignored = now.sa_handler == SIG_IGN;
  if (!ignored && (now.sa_flags & SA_NOCLDWAIT) == 0)
    return;
  if (ignored)
    now.sa_handler = SIG_DFL;
  now.sa_flags &= ~SA_NOCLDWAIT;
  ::sigaction(SIGCHLD, &now, nullptr);
}

/// Opens what the child's descriptors are connected to.
class descriptors {
public:
  descriptors(const process_options& options, started_child& child)
    : map_(options.child_fds), child_(child) {
    if (options.use_pty)
      for (const int fd : {0, 1, 2})
        map_.erase(fd);
    end_ = end_of(map_.size() + (options.use_pty ? 3 : 0));
    if (options.use_pty && !open_terminal())
      return;
    for (const auto& [fd, what] : map_)
      if (!open(fd, what))
        return;
    lift();
  }

  std::string error; // which descriptor of the child cannot be made, and why
  std::vector<moved_fd> moves;

private:
  bool fail(int fd, const std::string& why = system_text(errno)) {
    error = "descriptor " + std::to_string(fd) + ": " + why;
    return false;
  }

  bool open(int fd, const child_fd& what) {
    if (fd < 0 || fd >= end_)
      return fail(fd, "out of range");
    if (what.type() == child_fd::kind::ours) {
      unique_fd copy{::fcntl(what.fd(), F_DUPFD_CLOEXEC, 0)};
      if (!copy)
        return fail(fd);
      moves.push_back({std::move(copy), fd});
      return true;
    }
    if (what.type() == child_fd::kind::nothing) {
      unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
      if (!null)
        return fail(fd);
      moves.push_back({std::move(null), fd});
      return true;
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      return fail(fd);
    const bool we_write = what.type() == child_fd::kind::we_write;
    unique_fd mine{ends[we_write ? 1 : 0]};
    moves.push_back({unique_fd{ends[we_write ? 0 : 1]}, fd});
    ::fcntl(mine.get(), F_SETFL, O_NONBLOCK);
    child_.pipes.push_back({fd, we_write, std::move(mine)});
    return true;
  }

  bool open_terminal() {
    unique_fd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
    std::array<char, 128> name{};
    if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0
        || ::ptsname_r(master.get(), name.data(), name.size()) != 0)
      return fail(0);
    unique_fd slave{::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (!slave)
      return fail(0);
    for (const int fd : {0, 1, 2}) {
      unique_fd copy{::fcntl(slave.get(), F_DUPFD_CLOEXEC, 0)};
      if (!copy)
        return fail(fd);
      moves.push_back({std::move(copy), fd});
    }
    unique_fd writing{::fcntl(master.get(), F_DUPFD_CLOEXEC, 0)};
    if (!writing)
      return fail(0);
    child_.pipes.push_back({0, true, std::move(writing)});
    child_.pipes.push_back({1, false, std::move(master)});
    return true;
  }

  void lift() {
    std::sort(moves.begin(), moves.end(),
              [](const moved_fd& a, const moved_fd& b) { return a.to < b.to; });
    if (moves.empty())
      return;
    const int above = moves.back().to + 1;
    for (auto& m : moves)
      if (m.from.get() < above) {
        unique_fd high{::fcntl(m.from.get(), F_DUPFD_CLOEXEC, above)};
        if (!high)
          return void(fail(m.to));
        m.from = std::move(high);
      }
  }

  // Behind the targets there must be room for as many descriptors: see lift().
  static int end_of(std::size_t targets) {
    rlimit most{};
    ::getrlimit(RLIMIT_NOFILE, &most);
    const auto limit = std::min<rlim_t>(most.rlim_cur, std::numeric_limits<int>::max());
    return limit > targets ? static_cast<int>(limit - targets) : 0;
  }

  std::map<int, child_fd> map_;
  started_child& child_;
  int end_ = 0; // of the targets
};

std::vector<fd_range> gaps(const std::vector<moved_fd>& moves) {
  std::vector<fd_range> result;
  unsigned next = 0;
  for (const auto& m : moves) {
    const auto to = static_cast<unsigned>(m.to);
    if (to > next)
      result.push_back({next, to - 1});
    next = to + 1;
  }
  result.push_back({next, ~0U});
  return result;
}

started_child spawn_failure(std::string text) {
  started_child result;
  result.error = failure{errc::spawn_failed, std::move(text)};
  return result;
}

} // namespace

started_child start_child(const std::string& executable, const std::vector<std::string>& args,
                          const process_options& options) {
  std::vector<std::string> argv{options.argv0.value_or(executable)};
  argv.insert(argv.end(), args.begin(), args.end());
  std::vector<std::string> env;
  if (options.env)
    for (const auto& [name, value] : *options.env)
      env.push_back(name + '=' + value);
  if (has_nul(executable) || has_nul(options.directory)
      || std::any_of(argv.begin(), argv.end(), has_nul)
      || std::any_of(env.begin(), env.end(), has_nul))
    return spawn_failure(executable.c_str() + std::string(": a text for it contains a NUL"));

  started_child child;
  descriptors files{options, child};
  if (!files.error.empty())
    return spawn_failure(executable + ": " + files.error);
  std::vector<raw_move> moves;
  for (const auto& m : files.moves)
    moves.push_back({m.from.get(), m.to});
  const auto closed = gaps(files.moves);
  auto paths = paths_of(executable, options);
  const auto c_paths = c_strings(paths);
  const auto c_argv = c_strings(argv);
  const auto c_env = c_strings(env);
  keep_exit_statuses();
  const auto signals = changed_signals();
  rlimit most{};
  ::getrlimit(RLIMIT_NOFILE, &most);

  child_plan plan;
  plan.paths = c_paths.data();
  plan.argv = c_argv.data();
  plan.envp = options.env ? c_env.data() : environ;
  plan.directory = options.directory.empty() ? nullptr : options.directory.c_str();
  plan.moves = moves.data();
  plan.move_count = moves.size();
  plan.closed = closed.data();
  plan.closed_count = closed.size();
  plan.most_fds = static_cast<unsigned>(std::min<rlim_t>(most.rlim_cur, 1U << 20));
  plan.signals = signals.data();
  plan.session = options.use_pty || options.own_group;
  plan.terminal = options.use_pty;
  plan.parent_death_signal = options.parent_death_signal;
  plan.parent = ::getpid();
  plan.drop_groups = options.uid.has_value() || options.gid.has_value();
  plan.has_uid = options.uid.has_value();
  plan.has_gid = options.gid.has_value();
  plan.uid = options.uid.value_or(0);
  plan.gid = options.gid.value_or(0);

  constexpr std::size_t stack_bytes = 64 * 1024;
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all); // no handler of ours may run in the child
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int pidfd = -1;
  const auto top =
    reinterpret_cast<std::uintptr_t>(stack.get() + stack_bytes) & ~std::uintptr_t{15};
  const auto pid =
    ::__clone(run_child, reinterpret_cast<void*>(top),
              CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd, nullptr, nullptr);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0)
    return spawn_failure(executable + ": " + system_text(error));
  child.pid = pid;
  child.pidfd = unique_fd{pidfd};
  if (plan.error == 0)
    return child;
  siginfo_t ended{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ended, WEXITED) != 0 && errno == EINTR) {
  }
  const std::string about = plan.step == std::string_view("executable") ? executable
                            : plan.step == std::string_view("directory")
                              ? executable + ": directory " + options.directory
                              : executable + ": " + plan.step;
  return spawn_failure(about + ": " + system_text(plan.error));
}

} // namespace troupe::detail
