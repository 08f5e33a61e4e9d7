#include <troupe/leases/leased_child.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

#include <caf/behavior.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <spdlog/logger.h>

#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

/// Waits for the lease, and has a supervisor with the child as long as that is held.
class lease_keeper final : public pinned_actor {
public:
  struct what {
    leases* locks;
    std::string name;
    std::function<child_spec(const lease_view&)> make;
    leased_child_options options;
  };

  lease_keeper(caf::actor_config& cfg, std::shared_ptr<const what> of)
    : pinned_actor(cfg), of_(std::move(of)) {
    set_exit_handler([this](caf::exit_msg& message) {
      if (message.reason && message.reason != caf::exit_reason::normal)
        stop(message.reason);
    });
    set_down_handler([this](caf::down_msg& message) {
      if (inner_ && message.source == inner_.address())
        inner_ended(message.reason);
    });
  }

  caf::behavior make_behavior() override {
    acquire();
    return {[](caf::unit_t) {
    }};
  }

  void on_exit() override {
    if (inner_) { // this one was killed, and nobody knows when the child ends
      lease_.abandon();
      caf::anon_send_exit(inner_, caf::exit_reason::kill);
      inner_ = nullptr;
    }
    lease_.release();
    pinned_actor::on_exit();
  }

  const char* name() const override { return "leased child"; }
  std::string log_name() const override { return "lease " + escape_text(of_->name, 64); }

protected:
  void stop_requested() override { stop(caf::exit_reason::user_shutdown); }

private:
  void acquire() {
    acquire_options options;
    options.lost = [this](const failure& why) {
      over(why);
    };
    of_->locks->acquire(*this, of_->name, std::move(options))
      .add_callbacks([this](lease got) { have(std::move(got)); },
                     [this](const failure& why) {
                       if (!why.check(errc::runtime_stopped)) // else the end comes by itself
                         quit(why.to_caf_error());
                     })
      .add_errback([this](const failure& why) { quit(why.to_caf_error()); }); // no child was made
  }

  void have(lease got) {
    if (stopping_ || !got.held())
      return stopping_ ? void() : acquire();
    lease_ = std::move(got);
    over_ = false;
    auto spec = of_->make(lease_.view());
    spec.stopped = [weak = caf::weak_actor_ptr{ctrl()}, also = std::move(spec.stopped)] {
      if (also)
        also();
      if (const auto alive = caf::actor_cast<caf::strong_actor_ptr>(weak)) {
        auto& self = *static_cast<lease_keeper*>(caf::actor_cast<caf::abstract_actor*>(alive));
        self.call_later(duration::zero(), [&self] { self.end_inner(caf::exit_reason::normal); });
      }
    };
    supervisor_options options;
    options.name = "lease " + of_->name;
    options.intensity = of_->options.intensity;
    options.period = of_->options.period;
    options.backoff = of_->options.backoff;
    options.unresponsive_after = std::chrono::hours(24 * 365); // the lease stays with the child
    caf::actor_config cfg{&loop()};
    inner_ = caf::actor_cast<caf::actor>(system().spawn_impl<supervisor, caf::hidden>(
      cfg, std::move(options), std::vector<child_spec>{std::move(spec)}));
    monitor(inner_);
    look_at_time();
    in_inner([](supervisor&) {}); // starts the child
  }

  // Loop 0 tells of the end; but it may be held up, while this one is not.
  void look_at_time() {
    const auto until = lease_.held_until();
    const auto now = loop().time();
    if (now >= until)
      return over(failure{lease_errc::lost});
    guard_ = call_later(until - now, [this] {
      if (inner_ && !over_)
        look_at_time();
    });
  }

  void over(const failure&) {
    if (std::exchange(over_, true) || !inner_)
      return;
    end_inner(caf::exit_reason::user_shutdown);
    if (inner_)
      guard_ = call_later(of_->locks->options().margin / 2,
                          [this] { in_inner([](supervisor& s) { s.hurry(); }); });
  }

  void stop(caf::error reason) {
    if (std::exchange(stopping_, true))
      return;
    reason_ = std::move(reason);
    if (inner_)
      end_inner(caf::exit_reason::user_shutdown);
    else
      quit(reason_);
  }

  void end_inner(caf::error reason) {
    in_inner(
      [&](supervisor& s) { s.shut_down(std::move(reason)).add_errback([](const failure&) {}); });
  }

  template <class F>
  void in_inner(F fn) {
    if (const auto inner = inner_) {
      auto& s = *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(inner));
      s.enter([&] { fn(s); });
    }
  }

  void inner_ended(const caf::error& reason) {
    inner_ = nullptr;
    if (guard_.active())
      guard_.cancel();
    lease_.release();
    if (stopping_)
      return quit(reason_);
    if (!over_)
      return quit(reason); // the child is over, or crashes too often
    acquire();
  }

  const std::shared_ptr<const what> of_;
  lease lease_;
  caf::actor inner_; // the supervisor, while the lease is held
  bool over_ = false;
  bool stopping_ = false;
  caf::error reason_;
  delayed_call guard_;
};

} // namespace

child_spec leased_child(leases& locks, std::string name,
                        std::function<child_spec(const lease_view&)> make,
                        leased_child_options options, std::string id) {
  if (id.empty())
    id = name;
  const auto of = std::make_shared<const lease_keeper::what>(
    lease_keeper::what{&locks, std::move(name), std::move(make), options});
  child_spec spec;
  spec.id = std::move(id);
  spec.start = [of](supervisor& parent) {
    caf::actor_config cfg{&parent.loop()};
    const auto made = parent.system().spawn_impl<lease_keeper, caf::hidden>(cfg, of);
    static_cast<lease_keeper*>(caf::actor_cast<caf::abstract_actor*>(made))->enter([] {});
    return caf::actor_cast<caf::actor>(made);
  };
  spec.restart = restart_type::transient;
  spec.type = child_type::supervisor;
  return spec;
}

child_spec leased_child(leases& locks, std::string name, child_spec spec,
                        leased_child_options options, std::string id) {
  return leased_child(
    locks, std::move(name), [spec = std::move(spec)](const lease_view&) { return spec; }, options,
    std::move(id));
}

} // namespace troupe
