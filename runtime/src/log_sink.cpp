#include "log_sink.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>

#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::detail {

namespace {

constexpr int not_open = -1;

/// Keeps from this thread what a write may raise: that nobody reads (SIGPIPE), that the terminal belongs
/// to others just now (SIGTTOU), that the file may not grow (SIGXFSZ).
class no_signals {
public:
  no_signals() noexcept {
    ::sigemptyset(&kept_);
    for (const int s : {SIGPIPE, SIGTTOU, SIGXFSZ})
      ::sigaddset(&kept_, s);
    ::pthread_sigmask(SIG_BLOCK, &kept_, &before_);
  }
  ~no_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  no_signals(const no_signals&) = delete;
  no_signals& operator=(const no_signals&) = delete;

  // Takes back the signal that a write has just raised, unless it was kept back before.
  void take(int signal) noexcept {
    if (::sigismember(&before_, signal) != 0)
      return;
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    const timespec at_once{};
    while (::sigtimedwait(&one, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }

private:
  sigset_t kept_;
  sigset_t before_;
};

} // namespace

// -- how much may pass --------------------------------------------------------------------------

bool line_budget::take(time_point now) noexcept {
  if (now > seen_) {
    const auto passed = std::chrono::duration<double>(now - seen_).count();
    left_ = std::min(burst_, left_ + passed * per_second_);
    seen_ = now;
  }
  if (left_ < 1)
    return false;
  left_ -= 1;
  return true;
}

// -- where it goes ------------------------------------------------------------------------------

void patient_descriptor::forget() noexcept {
  if (own_ != not_open)
    ::close(own_);
  own_ = not_open;
  known_ = false;
}

void patient_descriptor::look() noexcept {
  struct ::stat is {};
  if (::fstat(fd_, &is) != 0)
    return forget(); // it is closed
  if (known_ && is.st_dev == is_.st_dev && is.st_ino == is_.st_ino && is.st_rdev == is_.st_rdev)
    return;
  forget();
  is_ = is;
  known_ = true;
  if (!S_ISFIFO(is.st_mode) && !S_ISCHR(is.st_mode))
    return;
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd_);
  own_ = ::open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

std::ptrdiff_t patient_descriptor::write_once(std::string_view bytes) noexcept {
  if (S_ISSOCK(is_.st_mode))
    return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (own_ != not_open)
    return ::write(own_, bytes.data(), bytes.size());
  if (S_ISFIFO(is_.st_mode) || S_ISCHR(is_.st_mode)) {
    // It cannot be opened once more, as after a change of the user. What poll() says then holds for
    // so many bytes, unless another writer comes between.
    constexpr std::size_t fits_a_terminal = 256;
    bytes = bytes.substr(0, S_ISCHR(is_.st_mode) ? fits_a_terminal : PIPE_BUF);
    pollfd can{fd_, POLLOUT, 0};
    if (::poll(&can, 1, 0) == 0) {
      errno = EAGAIN;
      return -1;
    }
  }
  return ::write(fd_, bytes.data(), bytes.size());
}

std::ptrdiff_t patient_descriptor::write(std::string_view bytes) noexcept {
  look();
  if (!known_)
    return -1;
  no_signals guard;
  std::ptrdiff_t written = 0;
  while (!bytes.empty()) {
    const auto n = write_once(bytes);
    if (n > 0) {
      written += n;
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    const int error = n == 0 ? EAGAIN : errno;
    if (error == EINTR)
      continue;
    if (error == EPIPE)
      guard.take(SIGPIPE);
    else if (error == EFBIG)
      guard.take(SIGXFSZ);
    if (written == 0 && error != EAGAIN && error != EWOULDBLOCK)
      return -1;
    break;
  }
  return written;
}

// -- the sink -----------------------------------------------------------------------------------

log_sink::log_sink(const log_options& options)
  : options_(options), to_(options.descriptor), talk_(options.burst, options.lines_per_second),
    trouble_(options.burst, options.lines_per_second) {}

time_point log_sink::now() const noexcept {
  return options_.time_source != nullptr ? options_.time_source->now()
                                         : std::chrono::steady_clock::now();
}

void log_sink::set_reminder(const void* owner, std::function<void(duration)> reminder) {
  const std::lock_guard hold{mutex_};
  if (!reminder && owner != reminders_owner_)
    return;
  reminders_owner_ = owner;
  reminder_ = std::move(reminder);
  reminded_ = false;
  if (owes())
    ask_to_be_reminded();
}

void log_sink::sink_it_(const spdlog::details::log_msg& message) {
  const auto t = now();
  write_waiting();
  tell_unread();
  if (!(message.level >= spdlog::level::warn ? trouble_ : talk_).take(t)) {
    ++too_many_;
    return ask_to_be_reminded();
  }
  tell_too_many();
  put(line_of(message));
}

void log_sink::flush_() {
  write_waiting();
}

void log_sink::try_again() {
  const std::lock_guard hold{mutex_};
  reminded_ = false;
  write_waiting();
  tell_unread();
  if (too_many_ != 0 && talk_.take(now()))
    tell_too_many();
  if (!owes()) {
    pause_ = least;
    return;
  }
  pause_ = std::min(2 * pause_, most);
  ask_to_be_reminded();
}

void log_sink::ask_to_be_reminded() {
  if (reminder_ && !std::exchange(reminded_, true))
    reminder_(pause_);
}

std::string log_sink::line_of(const spdlog::details::log_msg& message) {
  std::string text;
  std::string_view left{message.payload.data(), message.payload.size()};
  const auto cut = left.size() > options_.longest_line ? left.size() - options_.longest_line : 0;
  left.remove_suffix(cut);
  for (;;) {
    const auto end = left.find('\n');
    text += escape_text(left.substr(0, end), std::string_view::npos);
    if (end == std::string_view::npos)
      break;
    text += "\n    ";
    left.remove_prefix(end + 1);
  }
  if (cut != 0)
    text += " ... and " + std::to_string(cut) + " bytes more";
  auto clean = message;
  clean.payload = text;
  spdlog::memory_buf_t line;
  formatter_->format(clean, line);
  return {line.data(), line.size()};
}

std::string log_sink::note(std::size_t lost, std::string_view why) {
  const auto text = std::to_string(lost) + " lines of the log were lost: " + std::string{why};
  spdlog::memory_buf_t line;
  formatter_->format(spdlog::details::log_msg{spdlog::string_view_t{}, spdlog::level::warn, text},
                     line);
  return {line.data(), line.size()};
}

// Both come behind what waits: the lines that were lost are those that did not fit behind it.
void log_sink::tell_unread() {
  if (!waiting_.empty() || unread_ == 0)
    return;
  const auto lost = std::exchange(unread_, 0);
  put(note(lost, "nobody read them"));
  if (unread_ != 0) // nor this one
    unread_ = lost;
}

void log_sink::tell_too_many() {
  if (waiting_.empty() && unread_ == 0 && too_many_ != 0)
    put(note(std::exchange(too_many_, 0), "they were too many at once"));
}

void log_sink::put(std::string line) {
  if (waiting_bytes_ + line.size() > options_.buffer) {
    ++unread_;
    return ask_to_be_reminded();
  }
  waiting_bytes_ += line.size();
  waiting_.push_back(std::move(line));
  write_waiting();
}

void log_sink::write_waiting() {
  while (!waiting_.empty()) {
    auto& first = waiting_.front();
    const auto written = to_.write(first);
    if (written < 0) {
      unread_ += waiting_.size();
      waiting_.clear();
      waiting_bytes_ = 0;
      return ask_to_be_reminded();
    }
    waiting_bytes_ -= static_cast<std::size_t>(written);
    first.erase(0, static_cast<std::size_t>(written));
    if (!first.empty())
      return ask_to_be_reminded();
    waiting_.pop_front();
  }
}

} // namespace troupe::detail
