#include <troupe/net/client_service.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

#include <troupe/net/detail/retry_report.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "connecting.hpp"
#include "loop_time.hpp"

namespace troupe {

namespace {

duration up_to_a_second() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::duration_cast<duration>(
    std::chrono::duration<double>(std::uniform_real_distribution<double>(0, 1)(random)));
}

} // namespace

retry_policy backoff_policy(backoff b) {
  return [b = std::move(b)](std::size_t attempt) {
    const auto grown =
      saturating_multiply(b.initial, std::pow(b.factor, static_cast<double>(attempt)));
    return saturating_add(std::min(grown, b.max), b.jitter ? b.jitter() : up_to_a_second());
  };
}

// What comes back to it holds it weakly, and the number of the attempt that it is about.
class client_service::machine : public std::enable_shared_from_this<machine> {
public:
  machine(runtime& rt, std::shared_ptr<client_endpoint> to, factory_ref f,
          client_service_options options)
    : loop_(detail::place_of(rt, current_loop).loop), to_(std::move(to)), factory_(std::move(f)),
      options_(std::move(options)),
      clock_(options_.clock ? *options_.clock : detail::clock_of(loop_)) {}

  void start() {
    if (state_ == state::fresh || state_ == state::stopped) {
      failures_ = 0;
      connect();
    } else if (state_ == state::disconnecting) {
      state_ = state::restarting;
    }
  }

  deferred<void> stop() {
    const auto before = state_;
    if (before == state::fresh || before == state::waiting || before == state::stopped || posted_) {
      ++attempt_; // what is posted is void
      posted_ = false;
      finish();
      return succeed();
    }
    state_ = state::disconnecting;
    stopping_.emplace_back();
    auto result = stopping_.back().get_deferred();
    if (before == state::connected)
      connection_->lose_connection();
    else if (before == state::connecting)
      call_off();
    return result;
  }

  deferred<connected_protocol> when_connected(std::size_t failures) {
    if (state_ == state::connected)
      return succeed(*connection_);
    if (state_ == state::stopped)
      return fail<connected_protocol>(errc::cancelled);
    if (waiting_.size() == waiting_.capacity()) // who was cancelled, or dropped, waits no more
      std::erase_if(waiting_,
                    [](const waiter& w) { return w.result.called() || !w.result.awaited(); });
    waiting_.push_back({promise<connected_protocol>{}, failures});
    return waiting_.back().result.get_deferred();
  }

private:
  enum class state { fresh, connecting, waiting, connected, disconnecting, restarting, stopped };

  struct waiter {
    promise<connected_protocol> result;
    std::size_t failures; // until it gives up; 0: never
  };

  // On its loop, whoever starts it: there the connections are to be.
  void connect() {
    state_ = state::connecting;
    const auto mine = ++attempt_;
    if (loop_.is_current())
      return begin(mine);
    posted_ = true;
    loop_.post([weak = weak_from_this(), mine] {
      const auto self = weak.lock();
      if (!self || self->attempt_ != mine)
        return;
      self->posted_ = false;
      self->begin(mine);
    });
  }

  void begin(std::uint64_t mine) {
    const std::weak_ptr<machine> weak = weak_from_this();
    // Tells whether this is still about the present attempt.
    const auto current = [weak, mine] {
      auto self = weak.lock();
      return self && self->attempt_ == mine ? self : nullptr;
    };
    auto d = maybe_deferred([&] { return to_->connect(factory_); })
               .add_callback([current](const connected_protocol& p) -> deferred<void> {
                 const auto self = current();
                 if (!self) {
                   p.lose_connection();
                   return fail(errc::cancelled);
                 }
                 return self->prepare(p);
               })
               .add_callbacks(
                 [current] {
                   if (const auto self = current())
                     self->prepared();
                 },
                 [current](const failure& why) {
                   if (const auto self = current())
                     self->failed(why);
                 });
    if (d.ready())
      return;
    if (attempt_ == mine && state_ == state::connecting)
      under_way_.emplace(std::move(d));
    else // was stopped in there
      d.cancel();
  }

  deferred<void> prepare(const connected_protocol& p) {
    connection_ = p;
    p.when_ended(loop_, [weak = weak_from_this(), mine = attempt_](const caf::error& why) {
      const auto self = weak.lock();
      if (self && self->attempt_ == mine)
        self->lost(detail::reason_of(why));
    });
    return options_.prepare_connection
             ? maybe_deferred([&] { return options_.prepare_connection(p); })
             : succeed();
  }

  void prepared() {
    under_way_.reset();
    if (state_ != state::connecting) { // was stopped; a hook may not care that it is cancelled
      connection_->lose_connection();
      return;
    }
    state_ = state::connected;
    failures_ = 0;
    report_.connected(loop_.scheduler().logger(), log_prefix());
    const auto p = *connection_;
    for (auto& w : std::exchange(waiting_, {}))
      w.result.callback(p);
  }

  void failed(const failure& why) {
    under_way_.reset();
    if (connection_) { // it could not be prepared
      connection_->lose_connection();
      if (state_ != state::connecting)
        return; // the end of the connection is waited for
      connection_.reset();
    }
    ++attempt_;
    if (state_ != state::connecting)
      return called_off();
    if (why.check(errc::runtime_stopped))
      return finish();
    std::vector<waiter> told;
    std::vector<waiter> left;
    for (auto& w : std::exchange(waiting_, {}))
      (w.failures == 1 ? told : left)
        .push_back({std::move(w.result), w.failures - (w.failures > 0)});
    waiting_ = std::move(left);
    wait(why);
    for (auto& w : told)
      w.result.errback(why);
  }

  void lost(const failure& why) {
    ++attempt_;
    connection_.reset();
    if (state_ == state::connected) {
      wait(why);
    } else if (state_ == state::connecting) { // while it was being prepared
      call_off();
      failed(errc::connection_lost);
    } else {
      call_off();
      stopped();
    }
  }

  void wait(const failure& why) {
    if (loop_.stopping())
      return finish();
    state_ = state::waiting;
    const auto how_long = std::max(duration(0), options_.retry(++failures_));
    report_.failed(loop_.scheduler().logger(), log_prefix(), why.message(), why, how_long);
    retry_.start(clock_, how_long, [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->connect();
    });
  }

  std::string log_prefix() const {
    const auto* const f = factory_.started();
    return f != nullptr ? f->log_prefix() : "client service";
  }

  void call_off() {
    if (auto d = std::exchange(under_way_, std::nullopt))
      d->cancel();
  }

  // The attempt has been cancelled. A connection that was being opened just then has been told to end,
  // and has, once all loops have done what they were told before now.
  void called_off() {
    if (!loop_.is_current()) // before run() there is none
      return stopped();
    if (state_ == state::disconnecting)
      tell_cancelled();
    struct round {
      round(std::shared_ptr<machine> m, std::size_t loops) : self(std::move(m)), left(loops) {}
      const std::shared_ptr<machine> self;
      std::atomic<std::size_t> left;
    };
    auto& all = loop_.scheduler();
    const auto r = std::make_shared<round>(shared_from_this(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i)
      all.loop(i).post([r] {
        if (--r->left == 0)
          r->self->loop_.post([r] { r->self->stopped(); });
      });
  }

  // There is no connection any more, and there was to be none, at least for a moment.
  void stopped() {
    auto stopping = std::exchange(stopping_, {});
    if (state_ == state::restarting) {
      failures_ = 0;
      connect();
    } else {
      finish();
    }
    for (auto& p : stopping)
      p.callback();
  }

  void finish() {
    retry_.cancel();
    state_ = state::stopped;
    tell_cancelled();
  }

  void tell_cancelled() {
    for (auto& w : std::exchange(waiting_, {}))
      w.result.errback(errc::cancelled);
  }

  event_loop& loop_;
  const std::shared_ptr<client_endpoint> to_;
  const factory_ref factory_;
  const client_service_options options_;
  clock& clock_;
  state state_ = state::fresh;
  bool posted_ = false;       // an attempt has yet to begin
  std::uint64_t attempt_ = 0; // counts; what belongs to an older one is void
  std::size_t failures_ = 0;  // since the last success
  std::optional<deferred<void>> under_way_;
  std::optional<connected_protocol> connection_; // from before it is prepared to its end
  detail::tracked_call retry_;
  detail::retry_report report_;
  std::vector<waiter> waiting_;
  std::vector<promise<void>> stopping_; // who waits for the end
};

client_service::client_service(runtime& rt, std::shared_ptr<client_endpoint> to, factory_ref f,
                               client_service_options options)
  : machine_(std::make_shared<machine>(rt, std::move(to), std::move(f), std::move(options))) {}

client_service::~client_service() {
  (void)machine_->stop();
}

deferred<void> client_service::start_service() {
  machine_->start();
  return service::start_service();
}

deferred<void> client_service::stop_service() {
  (void)service::stop_service();
  return machine_->stop();
}

deferred<connected_protocol>
client_service::when_connected(std::optional<std::size_t> fail_after_failures) {
  if (fail_after_failures == 0U)
    throw std::logic_error("when_connected() after 0 failures");
  return machine_->when_connected(fail_after_failures.value_or(0));
}

} // namespace troupe
