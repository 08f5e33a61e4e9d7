#include "passed_sockets.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include <unistd.h>

namespace troupe::detail {

namespace {

constexpr int at_most = 65536; // what a process may have open, and then some

// -1 if it is no number.
int number_in(const char* text) {
  if (text == nullptr)
    return -1;
  const std::string_view all{text};
  int result = -1;
  const auto [stop, error] = std::from_chars(all.data(), all.data() + all.size(), result);
  return error == std::errc{} && stop == all.data() + all.size() ? result : -1;
}

} // namespace

passed_sockets passed_sockets::of_this_process() {
  return {::getpid(), std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"),
          std::getenv("LISTEN_FDNAMES")};
}

passed_sockets::passed_sockets(pid_t self, const char* pid, const char* count, const char* names) {
  const int n = number_in(count);
  if (number_in(pid) != self || n <= 0 || n > at_most)
    return;
  names_.assign(static_cast<std::size_t>(n), "unknown");
  if (names == nullptr)
    return;
  std::string_view rest{names};
  for (auto& name : names_) {
    const auto end = std::min(rest.find(':'), rest.size());
    if (end > 0)
      name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

std::optional<int> passed_sockets::named(std::string_view name) const {
  const auto at = std::find(names_.begin(), names_.end(), name);
  if (at == names_.end())
    return std::nullopt;
  return first + static_cast<int>(at - names_.begin());
}

} // namespace troupe::detail
