#include <troupe/net/process_transport.hpp>

#include <csignal>
#include <cstring>

namespace troupe {

void process_transport::lose_connection() {
  for (const int fd : {0, 1, 2})
    close_child_fd(fd);
}

failure process_transport::signal_process(std::string_view name) {
  for (int number = 1; number < NSIG; ++number)
    if (const char* const abbreviation = ::sigabbrev_np(number))
      if (name == abbreviation)
        return signal_process(number);
  return {errc::invalid_argument, "not the name of a signal: " + std::string(name)};
}

} // namespace troupe
