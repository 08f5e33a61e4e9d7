#pragma once

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

namespace troupe::testing {

/// Leaves this process no more than `free` descriptors while it lives.
///
/// The sanitizer of undefined behaviour takes two when it meets a class for the first time, and
/// reports it if it gets none. So a test first lets happen, with enough of them, what it expects.
class few_descriptors {
public:
  explicit few_descriptors(rlim_t free = 0) {
    try { // the one class that cannot happen before
      throw std::system_error{EMFILE, std::system_category()};
    } catch (const std::system_error& e) {
      static_cast<void>(e.code());
    }
    const int unused = ::dup(0);
    ::close(unused);
    if (unused < 0 || ::getrlimit(RLIMIT_NOFILE, &before_) != 0)
      throw std::runtime_error("few_descriptors: no limit to begin with");
    set({.rlim_cur = static_cast<rlim_t>(unused) + free, .rlim_max = before_.rlim_max});
  }
  ~few_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  few_descriptors(const few_descriptors&) = delete;
  few_descriptors& operator=(const few_descriptors&) = delete;

private:
  static void set(const rlimit& limit) {
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
      throw std::runtime_error("few_descriptors: the limit cannot be set");
  }

  rlimit before_{};
};

} // namespace troupe::testing
