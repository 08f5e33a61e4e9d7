#include <troupe/runtime/options.hpp>

#include <stdexcept>
#include <string>

#include "system_config.hpp"

namespace troupe {

namespace {

constexpr std::size_t most_loops = 1024;

[[noreturn]] void refuse(const char* option, const std::string& why) {
  throw std::invalid_argument(std::string{"runtime_options: "} + option + " " + why);
}

void not_zero(std::size_t value, const char* option) {
  if (value == 0)
    refuse(option, "must not be zero");
}

void not_negative(duration value, const char* option) {
  if (value < duration::zero())
    refuse(option, "must not be negative");
}

void positive(duration value, const char* option) {
  if (value <= duration::zero())
    refuse(option, "must be more than zero");
}

} // namespace

void detail::check(const runtime_options& options) {
  if (options.loops > most_loops)
    refuse("loops", "is " + std::to_string(options.loops) + "; there may be at most "
                      + std::to_string(most_loops));
  not_zero(options.messages_per_actor, "messages_per_actor");
  not_zero(options.actors_per_turn, "actors_per_turn");
  not_zero(options.events_per_turn, "events_per_turn");
  not_zero(options.max_pool_threads, "max_pool_threads");
  not_negative(options.poll_before_sleep, "poll_before_sleep");
  not_negative(options.timer_slack, "timer_slack");
  not_negative(options.grace, "grace");
  positive(options.time_per_turn, "time_per_turn");
  positive(options.warn_turn, "warn_turn");
}

} // namespace troupe
