#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace troupe {

class clock;

/// How much something matters that is logged; the numbers are those of spdlog.
enum class log_level : std::uint8_t { trace, debug, info, warn, error, critical };

/// What a logger of `make_logger` is told.
struct log_options {
  /// Where it writes: standard error. It stays the caller's, and need not block or not block.
  int descriptor = 2;

  /// How many lines pass at once, and how many a second in the long run; for warnings and errors as
  /// many again, so that talk does not use up their share. More of them are lost, and counted.
  std::size_t burst = 1000;
  std::size_t lines_per_second = 100;

  /// How much is kept for a reader that does not read at the moment, in bytes. What does not fit is
  /// lost, and counted.
  std::size_t buffer = 256 * 1024;

  /// How long a text may be, in bytes; the rest is cut off, and told as a number.
  std::size_t longest_line = 8 * 1024;

  /// What tells the time for the rate; null is the steady clock. It must outlive the logger.
  const clock* time_source = nullptr;
};

/// Makes a logger for programs that must not depend on who reads their log.
///
/// It never waits: what a pipe, a socket or a terminal does not take at once is kept, up to a bound,
/// and what is more is lost. Nor is the end of the reader an end of the process (SIGPIPE). It is
/// bounded in rate. How many lines were lost it says when it can again. Control characters within a
/// line, as a peer may have sent them, are escaped as by `escape_text`; the lines of a text with
/// several are indented, so that none of them looks like one of the log. It needs no thread, and
/// leaves how the descriptor behaves to others who have it: it opens what that refers to once more,
/// where it can be opened, and else writes only as much as is told to fit.
///
/// A runtime whose logger it is writes what waits as soon as it can; else the next line does.
///
/// It is what a `runtime` takes that is given no logger. One in brackets in each line:
///
/// ```cpp
/// troupe::runtime rt{{.logger = troupe::make_logger("chat_server")}};
/// ```
///
/// \param name  stands in brackets in each line, unless it is empty
/// Thread: any, as the logger itself.
[[nodiscard]] std::shared_ptr<spdlog::logger> make_logger(std::string name = {},
                                                          log_options options = {});

/// Returns `text` fit for one line of a log or a terminal: UTF-8 stays as it is, and what would act
/// there instead of being seen is escaped: control characters, bytes that are no UTF-8 (`\x1b`), and
/// what changes the direction of others or has no width (`\u202e`).
///
/// \param longest  how many bytes of `text` are looked at; if it has more, the rest is told as a number
[[nodiscard]] std::string escape_text(std::string_view text, std::size_t longest = 1024);

} // namespace troupe
