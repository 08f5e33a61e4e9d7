#include <troupe/testing/logged_errors.hpp>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <troupe/runtime/runtime.hpp>

namespace troupe::testing {

namespace detail {

namespace {

/// What all loggers have, for the listener. It lives until the process ends: a logger may end late.
struct all_logs {
  std::mutex mutex;
  std::vector<std::weak_ptr<error_log>> live;
  std::vector<std::string> left; // by those that have ended
  bool watched = false;

  static all_logs& get() {
    static auto* all = new all_logs;
    return *all;
  }
};

} // namespace

/// What one logger has collected; owned by its sink, and by each `logged_errors` that looks at it.
struct error_log {
  error_log() = default;
  ~error_log() {
    auto& all = all_logs::get();
    const std::lock_guard hold{all.mutex};
    for (auto& e : errors)
      if (all.watched)
        all.left.push_back(std::move(e.text));
      else
        std::fprintf(stderr, "the test did not expect this error: %s\n", e.text.c_str());
  }
  error_log(const error_log&) = delete;
  error_log& operator=(const error_log&) = delete;

  std::mutex mutex;
  std::vector<logged_error> errors;
};

namespace {

/// The sink of a collecting logger.
class collecting_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  collecting_sink() {
    set_level(spdlog::level::err);
    auto& all = all_logs::get();
    const std::lock_guard hold{all.mutex};
    std::erase_if(all.live, [](const auto& l) { return l.expired(); });
    all.live.push_back(log_);
  }

  [[nodiscard]] const std::shared_ptr<error_log>& log() const noexcept { return log_; }

private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::lock_guard hold{log_->mutex};
    log_->errors.push_back({std::string(message.payload.data(), message.payload.size()),
                            failure{std::current_exception()}});
  }
  void flush_() override {}

  const std::shared_ptr<error_log> log_ = std::make_shared<error_log>();
};

} // namespace

std::vector<std::string> take_unexpected_errors() {
  auto& all = all_logs::get();
  std::vector<std::shared_ptr<error_log>> logs; // dropped behind the lock, which their ends take
  const std::lock_guard hold{all.mutex};
  all.watched = true;
  auto texts = std::exchange(all.left, {});
  for (const auto& weak : all.live)
    if (const auto& log = logs.emplace_back(weak.lock())) {
      const std::lock_guard hold_log{log->mutex};
      for (auto& e : std::exchange(log->errors, {}))
        texts.push_back(std::move(e.text));
    }
  return texts;
}

} // namespace detail

namespace {

std::shared_ptr<detail::error_log> log_of(runtime& rt) {
  for (const auto& sink : rt.logger().sinks())
    if (const auto* c = dynamic_cast<const detail::collecting_sink*>(sink.get()))
      return c->log();
  throw std::logic_error("logged_errors: this runtime logs elsewhere; "
                         "give it a testing::collecting_logger()");
}

} // namespace

logged_errors::logged_errors(runtime& rt) : log_(log_of(rt)) {}

std::size_t logged_errors::size() const {
  const std::lock_guard hold{log_->mutex};
  return log_->errors.size();
}

std::vector<logged_error> logged_errors::take_all() {
  const std::lock_guard hold{log_->mutex};
  return std::exchange(log_->errors, {});
}

void logged_errors::put_back(std::vector<logged_error> errors) {
  const std::lock_guard hold{log_->mutex};
  log_->errors.insert(log_->errors.begin(), std::make_move_iterator(errors.begin()),
                      std::make_move_iterator(errors.end()));
}

std::shared_ptr<spdlog::logger> collecting_logger() {
  return std::make_shared<spdlog::logger>("test", std::make_shared<detail::collecting_sink>());
}

} // namespace troupe::testing
