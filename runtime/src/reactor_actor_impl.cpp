#include "reactor_actor_impl.hpp"

#include <unordered_map>

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe::detail {

namespace {

/// Keeps the calls that were scheduled by message, by number and by receiver.
class reactor_shard final : public pinned_actor {
public:
  explicit reactor_shard(caf::actor_config& cfg) : pinned_actor(cfg) {
    set_down_handler([this](caf::down_msg& down) { forget(down.source); });
  }

  caf::behavior make_behavior() override {
    return {
      [this](call_later_atom, caf::timespan delay, const caf::actor& receiver,
             const caf::message& message) { return schedule(delay, receiver, message); },
      [this](cancel_atom, std::uint64_t id) -> caf::result<void> {
        const auto found = calls_.find(id);
        if (found == calls_.end())
          return make_error(errc::already_called);
        found->second.timer.cancel();
        erase(found);
        return caf::unit;
      },
      [this](delay_atom, std::uint64_t id, caf::timespan by) -> caf::result<void> {
        const auto found = calls_.find(id);
        if (found == calls_.end())
          return make_error(errc::already_called);
        found->second.timer.delay(by);
        return caf::unit;
      },
      [this](reset_atom, std::uint64_t id, caf::timespan from_now) -> caf::result<void> {
        if (from_now.count() < 0)
          return caf::make_error(caf::sec::invalid_argument, "the delay is negative");
        const auto found = calls_.find(id);
        if (found == calls_.end())
          return make_error(errc::already_called);
        found->second.timer.reset(from_now);
        return caf::unit;
      },
      [this](active_atom, std::uint64_t id) { return calls_.count(id) != 0; },
      [](now_atom) { return caf::timespan{event_loop::now().time_since_epoch()}; },
    };
  }

  const char* name() const override { return "reactor"; }

private:
  struct call {
    delayed_call timer;
    caf::actor_addr receiver;
  };
  using call_map = std::unordered_map<std::uint64_t, call>;

  caf::result<std::uint64_t> schedule(caf::timespan delay, const caf::actor& receiver,
                                      const caf::message& message) {
    if (delay.count() < 0)
      return caf::make_error(caf::sec::invalid_argument, "the delay is negative");
    if (!receiver)
      return caf::make_error(caf::sec::invalid_argument, "there is no receiver");
    const auto id = next_id_++;
    if (pending_[receiver.address()]++ == 0)
      monitor(receiver); // once, however many calls it has: CAF keeps an entry for each
    const auto timer = call_later(delay, [this, id, message] {
      const auto found = calls_.find(id);
      const auto to = caf::actor_cast<caf::actor>(found->second.receiver);
      erase(found);
      if (to)
        caf::anon_send(to, message);
    });
    calls_.emplace(id, call{timer, receiver.address()});
    return id;
  }

  void erase(call_map::iterator i) {
    const auto count = pending_.find(i->second.receiver);
    if (count != pending_.end() && --count->second == 0) {
      demonitor(i->second.receiver);
      pending_.erase(count);
    }
    calls_.erase(i);
  }

  void forget(const caf::actor_addr& receiver) {
    pending_.erase(receiver);
    for (auto i = calls_.begin(); i != calls_.end();) {
      if (i->second.receiver != receiver) {
        ++i;
        continue;
      }
      i->second.timer.cancel();
      i = calls_.erase(i);
    }
  }

  call_map calls_;
  std::unordered_map<caf::actor_addr, std::size_t> pending_; // calls of each receiver
  std::uint64_t next_id_ = 1;
};

} // namespace

reactor_actor spawn_reactor_actor(loop_scheduler& scheduler) {
  caf::actor_config cfg{&scheduler.loop(0)};
  const auto handle = scheduler.system().spawn_impl<reactor_shard, caf::hidden>(cfg);
  return caf::actor_cast<reactor_actor>(handle);
}

} // namespace troupe::detail
