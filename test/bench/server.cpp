#include "server.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

bool errors_shown = false;

// Starts `command` with its output in a pipe, whose end is returned.
int start(const std::vector<std::string>& command, int core, pid_t& pid) {
  int ends[2];
  if (::pipe(ends) != 0)
    throw std::runtime_error("pipe failed");
  std::vector<char*> args;
  for (const auto& word : command)
    args.push_back(const_cast<char*>(word.c_str()));
  args.push_back(nullptr);
  pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // it must not outlive the benchmark
    pin_to(core);
    ::dup2(ends[1], STDOUT_FILENO);
    if (!errors_shown)
      ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execvp(args[0], args.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  if (pid < 0) { // and must never reach kill(), to which -1 means everybody
    ::close(ends[0]);
    throw std::runtime_error("fork failed");
  }
  return ends[0];
}

// Reads up to `size` bytes; returns 0 at the end, -1 if nothing comes for `patience`.
ssize_t read_some(int fd, char* into, std::size_t size, std::chrono::milliseconds patience) {
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&p, 1, static_cast<int>(patience.count())) <= 0)
    return -1;
  return ::read(fd, into, size);
}

std::uint64_t status_field(const std::filesystem::path& file, const std::string& name) {
  std::ifstream in{file};
  for (std::string word; in >> word;)
    if (word == name) {
      std::uint64_t value = 0;
      in >> value;
      return value;
    }
  return 0;
}

} // namespace

void pin_to(int core) {
  if (std::thread::hardware_concurrency() < 2)
    return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (i == core || core < 0)
      CPU_SET(i, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

server::server(std::vector<std::string> command, int core) {
  const int out = start(command, core, pid_);
  std::string text;
  char c;
  const std::string ip = "127.0.0.1:";
  const std::string local = "unix:@";
  while (
    read_some(out, &c, 1, std::chrono::seconds(20)) == 1
    && (c != '\n' || (text.find(ip) == std::string::npos && text.find(local) == std::string::npos)))
    text += c;
  ::close(out);
  if (const auto at = text.find(ip); at != std::string::npos)
    port_ = static_cast<std::uint16_t>(std::atoi(text.c_str() + at + ip.size()));
  else if (const auto begin = text.find(local); begin != std::string::npos)
    name_ = text.substr(begin + local.size());
  if (port_ == 0 && name_.empty()) {
    end();
    throw std::runtime_error(command[0] + " did not tell its port; --verbose shows why");
  }
}

server::~server() {
  end();
}

void server::end() noexcept {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void show_errors() {
  errors_shown = true;
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

std::uint64_t server::cpu_ns() const {
  std::uint64_t sum = 0;
  const auto tasks = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::ifstream in{task.path() / "schedstat"};
    if (std::uint64_t ns = 0; in >> ns)
      sum += ns;
  }
  if (sum == 0)
    throw std::runtime_error("the system does not tell the CPU time of threads (schedstat)");
  return sum;
}

std::uint64_t server::resident() const {
  return 1024 * status_field("/proc/" + std::to_string(pid_) + "/status", "RssAnon:");
}

std::uint64_t server::context_switches() const {
  std::uint64_t sum = 0;
  const auto tasks = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks))
    sum += status_field(task.path() / "status", "voluntary_ctxt_switches:")
           + status_field(task.path() / "status", "nonvoluntary_ctxt_switches:");
  return sum;
}

void take_turn() {
  const auto path = std::filesystem::temp_directory_path() / "troupe_bench.lock";
  // The lock ends with the process that holds it; the descriptor is left open for that.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) == 0)
    return; // without the file nobody waits
  std::fprintf(stderr, "another benchmark is running; waiting for its end\n");
  ::flock(fd, LOCK_EX);
}

bool installed(const std::string& program) {
  if (program.find('/') != std::string::npos)
    return std::filesystem::exists(program);
  const char* const path = std::getenv("PATH");
  std::istringstream folders{path != nullptr ? path : "/usr/bin"};
  for (std::string folder; std::getline(folders, folder, ':');)
    if (std::filesystem::exists(std::filesystem::path{folder} / program))
      return true;
  return false;
}

std::string run(const std::vector<std::string>& command, int core) {
  pid_t pid = -1;
  const int out = start(command, core, pid);
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = read_some(out, buffer, sizeof buffer, std::chrono::minutes(2))) > 0)
    text.append(buffer, static_cast<std::size_t>(n));
  ::close(out);
  int status = 0;
  if (n < 0) // it hangs
    ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error(command[0] + " failed; --verbose shows why");
  return text;
}

} // namespace bench
