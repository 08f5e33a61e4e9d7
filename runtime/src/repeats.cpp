#include <troupe/runtime/repeats.hpp>

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <spdlog/logger.h>

#include <troupe/runtime/clock.hpp>

namespace troupe {

namespace {

spdlog::level::level_enum level_of(log_level level) {
  return static_cast<spdlog::level::level_enum>(level);
}

// What further kinds are told as.
constexpr std::string_view others = "others";

std::string in_words(duration d) {
  return fmt::format("{:.0f} s", std::chrono::duration<double>(d).count());
}

} // namespace

struct repeats::state : std::enable_shared_from_this<repeats::state> {
  struct kind {
    log_level level{};
    std::string text;        // of the first one
    time_point began{};      // when that was
    time_point told{};       // when the latest line was logged
    std::uint64_t count = 0; // since it began
    std::uint64_t untold = 0;
  };

  struct line {
    log_level level;
    std::string text;
  };

  state(spdlog::logger& l, clock& t, duration p) : logger(l), time(t), period(p) {}

  // The kind of that name, or of those that are too many, or null if it has to be made.
  kind* find(std::string_view name) {
    const auto found = kinds.find(std::string{name});
    return found != kinds.end() ? &found->second : nullptr;
  }

  [[nodiscard]] bool is_quiet(const kind& k, time_point now) const {
    return k.untold == 0 && now - k.told >= period;
  }

  void forget_quiet(time_point now) {
    std::erase_if(kinds, [&](const auto& entry) { return is_quiet(entry.second, now); });
  }

  line summary(kind& k, time_point now) {
    line result{k.level,
                fmt::format("{} ({} more within {})", k.text, k.untold, in_words(now - k.told))};
    k.untold = 0;
    k.told = now;
    return result;
  }

  // Tells what has been untold for a period, and comes again while something is.
  void tick() {
    std::vector<line> lines;
    duration next = duration::max();
    {
      const std::lock_guard hold{mutex};
      armed = false;
      const auto now = time.now();
      for (auto& [name, k] : kinds) {
        if (k.untold == 0)
          continue;
        if (const auto left = period - (now - k.told); left > duration::zero())
          next = std::min(next, left);
        else
          lines.push_back(summary(k, now));
      }
      if (next != duration::max())
        arm(next);
      forget_quiet(now);
    }
    log(lines);
  }

  // With the mutex held.
  void arm(duration delay) {
    if (std::exchange(armed, true))
      return;
    time.call_later(delay, [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->tick();
    });
  }

  void log(const std::vector<line>& lines) {
    for (const auto& l : lines)
      logger.log(level_of(l.level), "{}", l.text);
  }

  spdlog::logger& logger;
  clock& time;
  const duration period;
  std::mutex mutex;
  std::unordered_map<std::string, kind> kinds;
  bool armed = false;
};

repeats::repeats(spdlog::logger& logger, clock& time, duration period)
  : state_(std::make_shared<state>(logger, time, period)) {}

repeats::~repeats() {
  std::vector<state::line> lines;
  {
    const std::lock_guard hold{state_->mutex};
    const auto now = state_->time.now();
    for (auto& [name, k] : state_->kinds)
      if (k.untold != 0)
        lines.push_back(state_->summary(k, now));
    state_->kinds.clear();
  }
  state_->log(lines);
}

bool repeats::begins(std::string_view name, log_level level) {
  auto& s = *state_;
  if (!s.logger.should_log(level_of(level)))
    return false;
  const std::lock_guard hold{s.mutex};
  const auto now = s.time.now();
  auto* k = s.find(name);
  if (k == nullptr && s.kinds.size() >= most_kinds) {
    s.forget_quiet(now);
    if (s.kinds.size() >= most_kinds) {
      name = others;
      k = s.find(name);
    }
  }
  if (k != nullptr && !s.is_quiet(*k, now)) {
    ++k->count;
    if (++k->untold == 1)
      s.arm(std::max(s.period - (now - k->told), duration::zero()));
    return false;
  }
  s.kinds.insert_or_assign(std::string{name},
                           state::kind{level, std::string{name}, now, now, 1, 0});
  return true;
}

void repeats::tell(std::string_view name, log_level level, std::string text) {
  {
    const std::lock_guard hold{state_->mutex};
    if (auto* const k = state_->find(name))
      k->text = text;
  }
  state_->log({{level, std::move(text)}});
}

void repeats::over(std::string_view name, log_level level, std::string_view text) {
  std::string line;
  {
    const std::lock_guard hold{state_->mutex};
    const auto found = state_->kinds.find(std::string{name});
    if (found == state_->kinds.end())
      return;
    const auto& k = found->second;
    line = fmt::format("{} (after {} {} within {})", text, k.count, k.count == 1 ? "time" : "times",
                       in_words(state_->time.now() - k.began));
    state_->kinds.erase(found);
  }
  state_->log({{level, std::move(line)}});
}

} // namespace troupe
