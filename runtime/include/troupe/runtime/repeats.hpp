#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Logs what may happen again and again: once with the reason, then counted, and now and then in one
/// line how often.
///
/// Things of one kind, such as "cannot accept at 127.0.0.1:80", are one story. The first is logged as it
/// is told; those that follow are counted, and every `period` for as long as there are any one line
/// says how many. A kind that was quiet for a period begins anew.
///
/// ```cpp
/// auto& repeats = loop().scheduler().repeats();
/// repeats.note("connect " + where, log_level::warn,
///              [&] { return fmt::format("cannot connect to {}: {}", where, why.message()); });
/// ...
/// repeats.over("connect " + where, log_level::info, "connected to " + where);
/// ```
///
/// A runtime has one, `runtime::repeats()`, whose lines go to its logger.
///
/// Thread: any.
class repeats {
public:
  /// How many kinds are told apart; further ones are told as one, until some have become quiet.
  static constexpr std::size_t most_kinds = 256;

  /// \param clock   tells the time, and calls later; both from any thread, if this is used from any
  /// \param period  the time from one line of a kind to the next
  /// Lifetime: `logger` and `clock` must outlive it.
  repeats(spdlog::logger& logger, clock& time, duration period = std::chrono::minutes(1));

  /// Logs what was counted and not told.
  ~repeats();

  repeats(const repeats&) = delete;
  repeats& operator=(const repeats&) = delete;

  /// Notes that something of this kind happened. Nothing is done, nor counted, below the logger's level.
  ///
  /// \param text  called, here, only if the text is logged; returns it without a number
  template <class Text>
  void note(std::string_view kind, log_level level, Text&& text) {
    if (begins(kind, level))
      tell(kind, level, std::forward<Text>(text)());
  }

  /// Logs that something is over, with how often it had happened and for how long. Does nothing if
  /// nothing of the kind was noted since it last was over, or quiet.
  void over(std::string_view kind, log_level level, std::string_view text);

private:
  struct state;
  bool begins(std::string_view kind, log_level level);
  void tell(std::string_view kind, log_level level, std::string text);

  const std::shared_ptr<state> state_; // shared with the delayed call
};

} // namespace troupe
