#pragma once

#include <algorithm>
#include <deque>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include <troupe/net/detail/request_connection.hpp>
#include <troupe/runtime/detail/deferred_timeout.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::detail {

/// Tells what comes of the attempts to connect.
class watched_endpoint final : public client_endpoint {
public:
  watched_endpoint(std::shared_ptr<client_endpoint> to, std::function<void()> begins,
                   std::function<void(const failure&)> failed)
    : to_(std::move(to)), begins_(std::move(begins)), failed_(std::move(failed)) {}

  deferred<connected_protocol> connect(const factory_ref& f) override {
    begins_();
    return maybe_deferred([&] { return to_->connect(f); })
      .add_errback([failed = failed_](const failure& why) {
        failed(why);
        return why;
      });
  }

private:
  const std::shared_ptr<client_endpoint> to_;
  const std::function<void()> begins_;
  const std::function<void(const failure&)> failed_;
};

/// Where a client is at home, and the time there.
struct request_home {
  event_loop& loop;
  clock& time;
};

/// Returns the present loop of `rt`; outside of any, the first one.
request_home request_home_of(runtime& rt);

/// The requests of a `request_client`. Shared with what may come back to it: all of that holds it
/// weakly.
template <class Codec>
class request_core : public std::enable_shared_from_this<request_core<Codec>> {
public:
  using request = typename Codec::request;
  using response = typename Codec::response;
  using options = request_client_options<Codec>;
  using connection = request_connection<Codec>;

  request_core(runtime& rt, options o) : request_core(request_home_of(rt), std::move(o)) {}

  /// Makes the service that keeps the connection of `self`.
  static std::shared_ptr<client_service> connect(const std::shared_ptr<request_core>& self,
                                                 runtime& rt, std::shared_ptr<client_endpoint> to,
                                                 Codec codec) {
    const std::weak_ptr<request_core> weak = self;
    auto begins = [weak] {
      if (const auto alive = weak.lock())
        alive->attempt_begins();
    };
    auto failed = [weak](const failure& why) {
      if (const auto alive = weak.lock())
        alive->attempt_failed(why);
    };
    auto prepare = [weak](const connected_protocol& p) {
      const auto alive = weak.lock();
      return alive ? alive->connection_made(p) : fail(errc::cancelled);
    };
    const auto& o = self->options_;
    return std::make_shared<client_service>(
      rt, std::make_shared<watched_endpoint>(std::move(to), std::move(begins), std::move(failed)),
      factory::for_protocol<connection>(weak, &self->home_, std::move(codec), o.max_message),
      client_service_options{
        .retry = o.retry, .prepare_connection = std::move(prepare), .clock = o.clock});
  }

  void start() noexcept {
    stopped_ = false;
    latest_failure_ = {};
  }

  void stop() {
    const auto self = this->shared_from_this();
    stopped_ = true;
    ready_ = false;
    queue_.clear();
    fail_all(errc::cancelled, [](const entry&) { return true; });
  }

  deferred<response> ask(request r, duration timeout, const source_location& where) {
    if (stopped_)
      return fail<response>(failure{errc::not_connected, "the client is stopped"});
    if (!options_.wait_for_connection && connection_ == nullptr && !attempting_ && latest_failure_)
      return fail<response>(latest_failure_);
    return add(std::move(r), timeout, where, false);
  }

  [[nodiscard]] duration timeout() const noexcept { return options_.timeout; }
  [[nodiscard]] bool connected() const noexcept { return ready_; }
  [[nodiscard]] std::size_t pending() const noexcept { return open_.size(); }
  [[nodiscard]] std::uint64_t late_answers() const noexcept { return late_answers_; }

  // -- what the connection tells ------------------------------------------------------------------

  void answered(caf::actor_id from, request_answer<response> answer) {
    heard_ = clock_.now();
    if (answer.id == 0) {
      if (answer.value && options_.on_push)
        options_.on_push(*std::move(answer.value));
      return;
    }
    const auto found = open_.find(answer.id);
    if (found == open_.end() || found->second.sent_on != from) {
      ++late_answers_;
      return;
    }
    take(found).fire(std::move(answer.value));
  }

  void refused(std::uint64_t id, const failure& why) {
    if (const auto found = open_.find(id); found != open_.end())
      take(found).errback(why);
  }

  void lost(caf::actor_id which, const failure& why) {
    if (connection_ != nullptr && connection_->id() == which) {
      connection_ = nullptr;
      handle_ = nullptr;
      ready_ = false;
    }
    fail_all(why.check(errc::connection_done)
               ? failure{errc::connection_lost, "closed before the answer came"}
               : why,
             [which](const entry& e) { return e.sent_on == which; });
  }

private:
  request_core(request_home at, options o)
    : home_(at.loop), options_(std::move(o)),
      clock_(options_.clock != nullptr ? *options_.clock : at.time) {}

  struct entry {
    entry(request_core& core, std::uint64_t id, request r)
      : waiting([&core, id](promise<response>&) { core.cancelled(id); }), asked(std::move(r)) {}

    promise<response> waiting;
    std::optional<request> asked; // until it is sent
    caf::actor_id sent_on = 0;
    time_point sent{};
    tracked_call limit{};
  };
  using table = std::unordered_map<std::uint64_t, entry>;

  static constexpr std::uint64_t max_id() noexcept {
    if constexpr (requires { Codec::max_id; })
      return Codec::max_id;
    else
      return std::numeric_limits<std::uint64_t>::max();
  }

  deferred<response> add(request r, duration timeout, const source_location& where, bool first) {
    if (open_.size() >= options_.max_pending || open_.size() >= max_id())
      return fail<response>(failure{errc::queue_overflow, "too many requests wait"});
    do
      latest_ = latest_ < max_id() ? latest_ + 1 : 1;
    while (open_.contains(latest_));
    const auto id = latest_;
    auto& e = open_.try_emplace(id, *this, id, std::move(r)).first->second;
    auto result = e.waiting.get_deferred();
    if (timeout != duration::max())
      e.limit.start(clock_, std::max(duration::zero(), timeout),
                    [weak = this->weak_from_this(), id, timeout, where] {
                      if (const auto self = weak.lock())
                        self->timed_out(id, timeout, where);
                    });
    if (connection_ != nullptr && (first || (ready_ && queue_.empty()))) {
      send(id, e);
    } else {
      prune();
      queue_.push_back(id);
    }
    return result;
  }

  // The promise is moved out before the rest goes.
  promise<response> take(typename table::iterator found) {
    const auto node = open_.extract(found);
    return std::move(node.mapped().waiting);
  }

  void send(std::uint64_t id, entry& e) {
    e.sent_on = connection_->id();
    e.sent = clock_.now();
    auto r = *std::move(e.asked);
    e.asked.reset(); // the codec may refuse it, which ends the entry
    as_connection([id, r = std::move(r)](connection& c) { c.send(id, r); });
  }

  template <class F>
  void as_connection(F fn) {
    const auto alive = handle_; // it may be lost in there
    auto& c = *connection_;
    if (c.loop().is_current())
      c.enter([&] { fn(c); });
    else
      connected_protocol{alive}.template enter<connection>(std::move(fn));
  }

  void forget(const entry& e, std::uint64_t id) {
    if (e.sent_on != 0 && connection_ != nullptr && connection_->id() == e.sent_on)
      as_connection([id](connection& c) { c.forget(id); });
  }

  void cancelled(std::uint64_t id) {
    const auto found = open_.find(id);
    if (found == open_.end())
      return; // fired at this moment
    const auto node = open_.extract(found);
    forget(node.mapped(), id);
  }

  void timed_out(std::uint64_t id, duration timeout, const source_location& where) {
    const auto found = open_.find(id);
    if (found == open_.end())
      return;
    const auto node = open_.extract(found);
    auto& e = node.mapped();
    std::string what = "request";
    if (e.sent_on != 0) {
      forget(e, id);
      drop_if_silent(e);
    } else if (latest_failure_) {
      what += " without a connection (" + latest_failure_.message() + ')';
    } else {
      what += " without a connection";
    }
    auto waiting = std::move(e.waiting);
    waiting.errback(detail::timed_out(what, timeout, where));
  }

  void drop_if_silent(const entry& e) {
    if (connection_ == nullptr || connection_->id() != e.sent_on
        || clock_.now() - std::max(heard_, e.sent) < options_.max_silence)
      return;
    as_connection([](connection& c) { c.drop_silent(); });
  }

  // -- connecting ---------------------------------------------------------------------------------

  void attempt_begins() noexcept { attempting_ = true; }

  void attempt_failed(const failure& why) {
    attempting_ = false;
    latest_failure_ = why;
    if (options_.wait_for_connection && !why.check(errc::runtime_stopped))
      return;
    queue_.clear();
    fail_all(why, [](const entry& e) { return e.sent_on == 0; });
  }

  deferred<void> connection_made(const connected_protocol& p) {
    handle_ = caf::actor_cast<caf::strong_actor_ptr>(p.actor());
    connection_ = dynamic_cast<connection*>(caf::actor_cast<caf::abstract_actor*>(handle_));
    if (connection_ == nullptr)
      return fail(failure{errc::no_protocol, "not the one of the client"});
    heard_ = clock_.now();
    if (!options_.prepare) {
      begin();
      return succeed();
    }
    const auto weak = this->weak_from_this();
    const auto mine = connection_->id();
    return maybe_deferred([&] {
             return options_.prepare([weak](request r) {
               const auto self = weak.lock();
               if (!self || self->connection_ == nullptr)
                 return fail<response>(errc::not_connected);
               return self->add(std::move(r), self->options_.timeout, source_location::current(),
                                true);
             });
           })
      .add_callbacks(
        [weak, mine]() -> outcome<void> {
          const auto self = weak.lock();
          if (!self || self->connection_ == nullptr || self->connection_->id() != mine)
            return failure{errc::connection_lost}; // meanwhile
          self->begin();
          return {};
        },
        [weak](const failure& why) {
          if (const auto self = weak.lock())
            self->attempt_failed(why);
          return why;
        });
  }

  // Sends what waited.
  void begin() {
    attempting_ = false;
    latest_failure_ = {};
    ready_ = !stopped_;
    while (ready_ && !queue_.empty()) { // it may be lost, or stopped, at once
      const auto id = queue_.front();
      queue_.pop_front();
      if (const auto found = open_.find(id); found != open_.end() && found->second.sent_on == 0)
        send(id, found->second);
    }
  }

  // What was cancelled or timed out leaves its number in the queue.
  void prune() {
    if (queue_.size() > 2 * open_.size() + 64)
      std::erase_if(queue_, [this](std::uint64_t id) { return !open_.contains(id); });
  }

  template <class F>
  void fail_all(const failure& why, F which) {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, e] : open_)
      if (which(e))
        ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    std::vector<promise<response>> failed; // all are out before the first one is told
    failed.reserve(ids.size());
    for (const auto id : ids)
      failed.push_back(take(open_.find(id)));
    for (auto& p : failed)
      if (!p.called()) // cancelled by one before
        p.errback(why);
  }

  event_loop& home_;
  const options options_;
  clock& clock_;
  table open_;
  std::deque<std::uint64_t> queue_; // what waits for a connection, and some that do not any more
  std::uint64_t latest_ = 0;
  caf::strong_actor_ptr handle_;
  connection* connection_ = nullptr; // that of `handle_`
  bool ready_ = false;               // it is prepared
  bool stopped_ = false;
  bool attempting_ = false;
  failure latest_failure_;
  time_point heard_{}; // when something came last
  std::uint64_t late_answers_ = 0;
};

} // namespace troupe::detail
