#include <algorithm>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include <troupe/runtime/detail/tracked_call.hpp>
#include <troupe/runtime/looping_call.hpp>

namespace troupe {

// Shared with the call that is scheduled and the deferred that is awaited, so that the function
// may destroy the looping_call.
class looping_call::loop : public std::enable_shared_from_this<loop> {
public:
  loop(clock& clock, function f, bool counts)
    : clock_(clock), function_(std::move(f)), counts_(counts) {}

  ~loop() { // with runs if its clock dropped the next call
    for (auto& r : runs_)
      r.done.abandon();
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
    const auto mine = ++latest_;
    runs_.push_back({mine, promise<void>([this, mine] { cancelled(mine); })});
    auto result = chained<void>(runs_.back().done.get_deferred());
    // During a call of an earlier run, go_on() begins this one.
    if (!under_way_ && now)
      call();
    else if (!under_way_)
      schedule();
    return result;
  }

  void stop() {
    require_running("stop");
    running_ = false;
    next_.cancel();
    if (!under_way_)
      finish(latest_, {});
  }

  void reset() {
    require_running("reset");
    if (!next_.pending())
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
  /// One start, until its deferred fires.
  struct run {
    std::uint64_t number;
    promise<void> done;
  };

  void require_running(const char* what) const {
    if (!running_)
      throw std::logic_error(std::string(what) + "() of a looping_call that is not running");
  }

  void call() {
    const auto self = shared_from_this();
    const auto mine = latest_;
    under_way_ = true;
    auto result = call_function();
    if (!result)
      go_on(mine, outcome<void>());
    else if (result->ready())
      go_on(mine, std::move(*result).take());
    else
      std::move(*result).add_both(call_over{self, mine});
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

  // A call of run number `mine` is over, and with it all runs that were stopped meanwhile.
  void go_on(std::uint64_t mine, const outcome<void>& result) {
    under_way_ = false;
    if (!result && running_ && mine == latest_)
      running_ = false;
    const auto end = running_ ? latest_ : latest_ + 1;
    if (running_)
      schedule(mine != latest_ && run_at_start_);
    while (!runs_.empty() && runs_.front().number < end) {
      const auto number = runs_.front().number;
      finish(number, number == mine ? result : outcome<void>());
    }
  }

  // The deferred of a call was abandoned: that call is never over, and nothing comes after it.
  void abandoned() noexcept {
    under_way_ = running_ = false;
    for (auto& r : std::exchange(runs_, {}))
      r.done.abandon();
  }

  struct call_over {
    call_over(std::shared_ptr<loop> of, std::uint64_t number) noexcept
      : self(std::move(of)), run(number) {}
    call_over(call_over&&) noexcept = default;
    ~call_over() {
      if (self)
        self->abandoned();
    }
    void operator()(const outcome<void>& result) {
      const auto alive = std::move(self);
      alive->go_on(run, result);
    }
    std::shared_ptr<loop> self;
    std::uint64_t run;
  };

  void finish(std::uint64_t number, const outcome<void>& how) {
    const auto found = find(number);
    if (found == runs_.end())
      return; // it was cancelled
    auto done = std::move(found->done);
    runs_.erase(found);
    done.fire(how);
  }

  void cancelled(std::uint64_t number) {
    if (number == latest_ && running_) {
      running_ = false;
      next_.cancel();
    }
    if (const auto found = find(number); found != runs_.end())
      runs_.erase(found);
  }

  std::vector<run>::iterator find(std::uint64_t number) {
    return std::find_if(runs_.begin(), runs_.end(),
                        [number](const run& r) { return r.number == number; });
  }

  // The next tick that is strictly to come, so that a call which falls on a tick is not made twice.
  // `at_once`: in the next turn, for a run that was to begin with a call and could not.
  void schedule(bool at_once = false) {
    auto delay = at_once ? duration::zero() : interval_;
    if (delay > duration::zero())
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
  bool under_way_ = false; // a call: on the stack, or its deferred is awaited
  duration interval_{};
  time_point start_{};
  std::optional<time_point> last_call_; // of the function, since the start
  detail::tracked_call next_;
  std::uint64_t latest_ = 0; // number of the latest run
  std::vector<run> runs_;    // the present one, and those that were stopped during a call
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
