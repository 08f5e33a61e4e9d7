#include <ostream>
#include <sstream>
#include <stdexcept>

#include <troupe/runtime/detail/tracked_call.hpp>
#include <troupe/runtime/looping_call.hpp>

namespace troupe {

// Shared with the call that is scheduled and the deferred that is awaited, so that the function
// may destroy the looping_call.
class looping_call::loop : public std::enable_shared_from_this<loop> {
public:
  loop(clock& clock, function f, bool counts)
    : clock_(clock), function_(std::move(f)), counts_(counts) {}

  ~loop() {
    if (done_) // the function's deferred was abandoned
      done_->abandon();
  }
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  chained<void> start(duration interval, bool now) {
    if (running_)
      throw std::logic_error("start() of a looping_call that is running");
    set_interval(interval);
    running_ = true;
    run_at_start_ = now;
    start_ = clock_.now();
    last_call_.reset();
    done_.emplace([this] { cancelled(); });
    auto result = chained<void>(done_->get_deferred());
    if (now)
      call();
    else
      schedule();
    return result;
  }

  void stop() {
    require_running("stop");
    running_ = false;
    if (scheduled()) {
      next_.cancel();
      finish();
    }
  }

  void reset() {
    require_running("reset");
    if (!scheduled())
      return;
    next_.cancel();
    start_ = clock_.now();
    schedule();
  }

  void set_interval(duration interval) {
    if (interval < duration::zero())
      throw std::logic_error("the interval of a looping_call is negative");
    interval_ = interval;
  }

  bool running() const noexcept { return running_; }
  duration interval() const noexcept { return interval_; }
  time_point start_time() const noexcept { return start_; }

private:
  bool scheduled() const noexcept { return next_.pending(); }

  void require_running(const char* what) const {
    if (!running_)
      throw std::logic_error(std::string(what) + "() of a looping_call that is not running");
  }

  void call() {
    const auto self = shared_from_this();
    auto result = call_function();
    if (!result)
      go_on(outcome<void>());
    else if (result->ready())
      go_on(std::move(*result).take());
    else
      std::move(*result).add_both([self](const outcome<void>& out) { self->go_on(out); });
  }

  std::optional<deferred<void>> call_function() {
    std::int64_t count = 1;
    if (counts_ && interval_ > duration::zero())
      count = count_intervals();
    if (count == 0)
      return std::nullopt;
    last_call_ = clock_.now();
    try {
      return function_(count);
    } catch (...) {
      return fail<void>(detail::caught());
    }
  }

  void go_on(const outcome<void>& result) {
    if (!result) {
      running_ = false;
      if (auto done = std::exchange(done_, std::nullopt))
        done->errback(result.error());
    } else if (running_) {
      schedule();
    } else {
      finish();
    }
  }

  void finish() {
    if (auto done = std::exchange(done_, std::nullopt))
      done->callback();
  }

  void cancelled() {
    running_ = false;
    next_.cancel();
    done_.reset();
  }

  // The next tick that is strictly to come, so that a call which falls on a tick is not made twice.
  void schedule() {
    auto delay = interval_;
    if (interval_ > duration::zero())
      delay -= (clock_.now() - start_) % interval_;
    next_.start(clock_, delay, [self = shared_from_this()] { self->call(); });
  }

  std::int64_t count_intervals() const {
    const auto last = last_call_ ? *last_call_ : run_at_start_ ? start_ - interval_ : start_;
    return index_of(clock_.now()) - index_of(last);
  }

  std::int64_t index_of(time_point t) const { return (t - start_) / interval_; }

  clock& clock_;
  function function_;
  const bool counts_;
  bool running_ = false;
  bool run_at_start_ = false;
  duration interval_{};
  time_point start_{};
  std::optional<time_point> last_call_; // of the function, since the start
  detail::tracked_call next_;
  std::optional<promise<void>> done_; // while it runs, or the function's deferred is awaited
};

looping_call::looping_call(clock& clock, function f, bool counts)
  : loop_(std::make_shared<loop>(clock, std::move(f), counts)) {}

looping_call& looping_call::operator=(looping_call&& other) noexcept {
  looping_call mine(std::move(other));
  std::swap(loop_, mine.loop_);
  return *this;
}

looping_call::~looping_call() {
  if (loop_ != nullptr && loop_->running())
    loop_->stop();
}

chained<void> looping_call::start(duration interval, bool now) {
  return loop_->start(interval, now);
}

void looping_call::stop() {
  loop_->stop();
}
void looping_call::reset() {
  loop_->reset();
}
bool looping_call::running() const noexcept {
  return loop_->running();
}
duration looping_call::interval() const noexcept {
  return loop_->interval();
}
void looping_call::set_interval(duration interval) {
  loop_->set_interval(interval);
}
time_point looping_call::start_time() const noexcept {
  return loop_->start_time();
}

std::ostream& operator<<(std::ostream& out, const looping_call& call) {
  return out << "<looping_call every " << std::chrono::duration<double>(call.interval()).count()
             << " s, " << (call.running() ? "running" : "stopped") << '>';
}

std::string to_string(const looping_call& call) {
  std::ostringstream out;
  out << call;
  return std::move(out).str();
}

} // namespace troupe
