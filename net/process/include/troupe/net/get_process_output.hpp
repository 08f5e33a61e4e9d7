#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <troupe/net/spawn_process.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// How a program is run whose output is collected.
///
/// Within a `co_await`, GCC 12 cannot make one of these, nor a list of arguments: give it a name
/// before.
struct run_options {
  std::optional<environment> env{}; ///< as in `process_options`
  std::string directory{};

  /// What the program is given as its standard input, which ends then.
  std::string input{};

  /// Takes what it writes to standard error as output, in the order in which it is read, instead of
  /// as a failure (`get_process_output` only).
  bool errors_too = false;

  /// How many bytes it may write, output and errors together; then it is killed.
  std::size_t max_output = 64 * 1024 * 1024;
};

/// What a program wrote, and its exit code.
struct process_output {
  std::string output;
  std::string errors;
  int exit_code = 0;
};

/// Runs a program, and returns what it wrote to its standard output.
///
/// ```cpp
/// troupe::get_process_output(rt, "uname", {"-r"}).add_callback([](std::string text) { ... });
/// ```
///
/// Cancelling the deferred kills the program, here and in the two below.
///
/// Fails with: `errc::process_wrote_errors`, with the text, if it wrote to standard error, whatever
/// its exit code; `errc::spawn_failed`; `errc::message_too_long` if it wrote more than allowed;
/// `errc::runtime_stopped`. The exit code is not looked at, as in Twisted.
/// Thread: loop 0, or before `run()`. Source: twisted.internet.utils.getProcessOutput
deferred<std::string> get_process_output(runtime& rt, const std::string& executable,
                                         std::vector<std::string> args = {});
deferred<std::string> get_process_output(runtime& rt, const std::string& executable,
                                         std::vector<std::string> args, run_options options);

/// Runs a program, and returns its exit code. Output is dropped.
///
/// Fails with: as below. Thread: as above. Source: twisted.internet.utils.getProcessValue
deferred<int> get_process_value(runtime& rt, const std::string& executable,
                                std::vector<std::string> args = {});
deferred<int> get_process_value(runtime& rt, const std::string& executable,
                                std::vector<std::string> args, run_options options);

/// Runs a program, and returns all that it wrote, and its exit code.
///
/// Fails with: `errc::process_terminated` if it was ended by a signal: a
/// `process_terminated_error` with that and what it had written; `errc::spawn_failed`,
/// `message_too_long`, `runtime_stopped`.
/// Thread: as above. Source: twisted.internet.utils.getProcessOutputAndValue
deferred<process_output> get_process_output_and_value(runtime& rt, const std::string& executable,
                                                      std::vector<std::string> args = {});
deferred<process_output> get_process_output_and_value(runtime& rt, const std::string& executable,
                                                      std::vector<std::string> args,
                                                      run_options options);

} // namespace troupe
