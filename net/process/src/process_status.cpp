#include <troupe/net/process_status.hpp>

#include <cstring>

namespace troupe {

std::string process_status::to_string() const {
  if (exit_code)
    return "exit code " + std::to_string(*exit_code);
  if (!signal)
    return "unknown, as other code has waited for it or ignores SIGCHLD";
  const char* const text = ::sigdescr_np(*signal);
  return "signal " + std::to_string(*signal)
         + (text != nullptr ? " (" + std::string(text) + ')' : "");
}

process_terminated_error::process_terminated_error(process_status status, std::string output,
                                                   std::string errors)
  : std::system_error(make_error_code(errc::process_terminated), status.to_string()),
    status_(status), output_(std::move(output)), errors_(std::move(errors)) {}

failure to_failure(const process_status& status) {
  if (status.exit_code == 0)
    return errc::process_done;
  return process_terminated_error{status};
}

std::optional<process_status> status_of(const failure& why) {
  if (why.check(errc::process_done))
    return process_status{.exit_code = 0};
  if (!why.check<process_terminated_error>())
    return std::nullopt;
  try {
    why.raise();
  } catch (const process_terminated_error& e) {
    return e.status();
  }
}

} // namespace troupe
