#include <troupe/runtime/detail/turn_watch.hpp>

#include <utility>

#include <spdlog/logger.h>

#include <troupe/runtime/detail/class_name.hpp>

namespace troupe::detail {

namespace {

// What is said again of the same culprit, and of another one.
constexpr auto between_equal_warnings = std::chrono::minutes(1);
constexpr auto between_warnings = std::chrono::seconds(1);

std::string name_of(const std::type_info& type) {
  auto text = class_name(type);
  constexpr std::size_t readable = 160;
  if (text.size() > readable) {
    text.resize(readable);
    text += "...";
  }
  return text;
}

std::string describe(const turn_watch::culprit& c) {
  if (c.who != nullptr && c.callback != nullptr)
    return name_of(*c.who) + "::" + c.callback;
  const auto* const type = c.who != nullptr ? c.who : c.what;
  return type != nullptr ? name_of(*type) + " (" + c.kind + ')' : std::string(c.kind);
}

std::string as_seconds(duration d) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms < 10'000 ? std::to_string(ms) + " ms" : std::to_string(ms / 1000) + " s";
}

} // namespace

bool turn_watch::look(time_point now, const char* kind, const std::type_info* what) noexcept {
  latest_ = now - looked_at_;
  looked(now);
  if (latest_ > worst_.took)
    worst_ = {latest_, kind, what, who_, callback_};
  return now >= share_ends_;
}

void turn_watch::end_turn(time_point now, spdlog::logger& log) noexcept {
  const auto length = now - began_;
  counting_.note_turn(length);
  if (length >= options_.warn_turn) [[unlikely]] {
    look(now, "sending what was written", nullptr);
    counting_.long_turns.add();
    try {
      warn(length, now, log);
    } catch (...) {
      // Without memory nothing can be told.
    }
  }
  worst_.took = {};
  begin_turn(now);
}

void turn_watch::warn(duration length, time_point now, spdlog::logger& log) {
  auto name = describe(worst_);
  const auto since = now - warned_at_;
  if (!warned_of_.empty()
      && since
           < (name == warned_of_ ? duration{between_equal_warnings} : duration{between_warnings})) {
    ++not_warned_;
    return;
  }
  std::string text = "loop " + std::to_string(loop_) + " was busy for " + as_seconds(length);
  if (worst_.took < length - length / 10)
    text += ", " + as_seconds(worst_.took) + " of it";
  text += " in " + name;
  if (const auto others = std::exchange(not_warned_, 0); others > 0)
    text += " (" + std::to_string(others) + " other long turns since the latest warning)";
  log.warn(text);
  warned_of_ = std::move(name);
  warned_at_ = now;
}

} // namespace troupe::detail
