#include <algorithm>
#include <deque>
#include <vector>

#include <troupe/runtime/cooperator.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>

namespace troupe {

namespace detail {

class cooperative_task_impl : public std::enable_shared_from_this<cooperative_task_impl> {
public:
  enum class end : std::uint8_t { none, done, failed, stopped };

  cooperative_task_impl(std::weak_ptr<cooperator_impl> owner, cooperative_function step)
    : owner_(std::move(owner)), step_(std::move(step)) {}

  ~cooperative_task_impl() {
    for (auto& p : waiting_) // the deferred of a step was abandoned
      p.abandon();
  }
  cooperative_task_impl(const cooperative_task_impl&) = delete;
  cooperative_task_impl& operator=(const cooperative_task_impl&) = delete;

  deferred<void> when_done() {
    if (end_ == end::none)
      return waiting_.emplace_back().get_deferred();
    return end_ == end::done ? succeed() : fail<void>(why_);
  }

  void pause();
  void resume();
  void stop() {
    require_unfinished();
    finish(end::stopped, errc::task_stopped);
  }

  void step();
  void finish(end how, failure why);
  void abandoned() noexcept;
  bool finished() const noexcept { return end_ != end::none; }

private:
  void require_unfinished() const {
    switch (end_) {
    case end::none:
      return;
    case end::done:
      throw task_done_error("the task is done");
    case end::failed:
      throw task_failed_error("the task has failed");
    case end::stopped:
      throw task_stopped_error("the task was stopped");
    }
  }

  struct step_over;

  void take(cooperative_step result);

  std::weak_ptr<cooperator_impl> owner_;
  cooperative_function step_;
  std::vector<promise<void>> waiting_;
  std::size_t pauses_ = 0;
  bool stepping_ = false;
  end end_ = end::none;
  failure why_;
};

class cooperator_impl : public std::enable_shared_from_this<cooperator_impl> {
public:
  using task_ptr = std::shared_ptr<cooperative_task_impl>;

  cooperator_impl(clock& clock, const cooperator_options& options)
    : clock_(clock), options_(options), running_(options.started) {}

  void add(task_ptr task) {
    if (stopped_) {
      task->finish(cooperative_task_impl::end::failed, errc::scheduler_stopped);
      return;
    }
    ready_.push_back(std::move(task));
    schedule();
  }

  void remove(const cooperative_task_impl* task) {
    const auto same = [task](const task_ptr& t) {
      return t.get() == task;
    };
    ready_.erase(std::remove_if(ready_.begin(), ready_.end(), same), ready_.end());
    if (ready_.empty() && tick_.pending())
      tick_.cancel();
  }

  // Paused tasks, and those that wait, are kept apart: they must hear of the end too.
  void paused(task_ptr task) { paused_.push_back(std::move(task)); }
  void resumed(const task_ptr& task) {
    std::erase(paused_, task);
    if (!task->finished())
      add(task);
  }

  void forget(const task_ptr& task) noexcept {
    std::erase(paused_, task);
    std::erase(ready_, task);
  }

  void start() {
    if (stopped_)
      throw std::logic_error("start() of a cooperator that was stopped");
    running_ = true;
    schedule();
  }

  void stop() {
    stopped_ = true;
    running_ = false;
    if (tick_.pending())
      tick_.cancel();
    auto tasks = std::exchange(ready_, {});
    tasks.insert(tasks.end(), paused_.begin(), paused_.end());
    paused_.clear();
    for (const auto& task : tasks)
      if (!task->finished())
        task->finish(cooperative_task_impl::end::failed, errc::scheduler_stopped);
  }

  bool running() const noexcept { return running_; }

private:
  void schedule() {
    if (running_ && !ready_.empty() && !tick_.pending() && !ticking_)
      tick_.start(clock_, options_.between, [self = shared_from_this()] { self->tick(); });
  }

  void tick() {
    ticking_ = true;
    const auto until = saturating_add(clock_.now(), options_.slice);
    for (std::size_t n = 0; !ready_.empty() && running_; ++n) {
      if (n > 0 && (n >= options_.steps_per_slice || clock_.now() >= until))
        break;
      auto task = ready_.front();
      ready_.pop_front();
      ready_.push_back(task);
      task->step();
    }
    ticking_ = false;
    schedule();
  }

  clock& clock_;
  const cooperator_options options_;
  bool running_;
  bool stopped_ = false;
  bool ticking_ = false;
  std::deque<task_ptr> ready_;
  std::vector<task_ptr> paused_;
  detail::tracked_call tick_;
};

/// Waits for what a step waits for.
struct cooperative_task_impl::step_over {
  explicit step_over(std::shared_ptr<cooperative_task_impl> of) noexcept : task(std::move(of)) {}
  step_over(step_over&&) noexcept = default;
  ~step_over() {
    if (task)
      task->abandoned();
  }

  void operator()(const outcome<bool>& more) {
    const auto self = std::move(task);
    if (self->finished())
      return;
    self->resume();
    if (!more)
      self->finish(end::failed, more.error());
    else if (!*more)
      self->finish(end::done, {});
  }

  std::shared_ptr<cooperative_task_impl> task;
};

void cooperative_task_impl::pause() {
  require_unfinished();
  if (++pauses_ > 1)
    return;
  if (const auto owner = owner_.lock()) {
    owner->paused(shared_from_this());
    owner->remove(this);
  }
}

void cooperative_task_impl::resume() {
  if (pauses_ == 0)
    throw not_paused_error("resume() of a task that is not paused");
  if (--pauses_ > 0 || finished())
    return;
  if (const auto owner = owner_.lock())
    owner->resumed(shared_from_this());
}

void cooperative_task_impl::step() {
  stepping_ = true;
  try {
    take(step_());
  } catch (...) {
    if (!finished())
      finish(end::failed, caught());
  }
  stepping_ = false;
  if (finished())
    step_ = nullptr;
}

void cooperative_task_impl::take(cooperative_step result) {
  if (finished()) // stopped by its own step
    return;
  if (!result.wait) {
    if (!result.more)
      finish(end::done, {});
    return;
  }
  pause();
  std::move(*result.wait).add_both(step_over{shared_from_this()});
}

// What a step waited for was abandoned, and so is the task: nobody knows whether there is more.
void cooperative_task_impl::abandoned() noexcept {
  if (finished())
    return;
  const auto self = shared_from_this();
  end_ = end::stopped;
  why_ = errc::task_stopped;
  if (const auto owner = owner_.lock())
    owner->forget(self);
  for (auto& p : std::exchange(waiting_, {}))
    p.abandon();
}

void cooperative_task_impl::finish(end how, failure why) {
  const auto self = shared_from_this();
  end_ = how;
  why_ = std::move(why);
  if (const auto owner = owner_.lock()) {
    owner->remove(this);
    if (pauses_ > 0)
      owner->resumed(self);
  }
  if (!stepping_)
    step_ = nullptr;
  for (auto& p : std::exchange(waiting_, {})) {
    if (how == end::done)
      p.callback();
    else
      p.errback(why_);
  }
}

} // namespace detail

deferred<void> cooperative_task::when_done() {
  return impl_->when_done();
}
void cooperative_task::pause() {
  impl_->pause();
}
void cooperative_task::resume() {
  impl_->resume();
}
void cooperative_task::stop() {
  impl_->stop();
}

cooperator::cooperator(clock& clock, cooperator_options options)
  : impl_(std::make_shared<detail::cooperator_impl>(clock, options)) {}

cooperator::~cooperator() {
  impl_->stop();
}

cooperative_task cooperator::add(detail::cooperative_function step) {
  auto added = std::make_shared<detail::cooperative_task_impl>(impl_, std::move(step));
  impl_->add(added);
  return cooperative_task(std::move(added));
}

void cooperator::start() {
  impl_->start();
}
void cooperator::stop() {
  impl_->stop();
}
bool cooperator::running() const noexcept {
  return impl_->running();
}

} // namespace troupe
