#include <troupe/net/factory.hpp>

#include <exception>
#include <stdexcept>
#include <typeinfo>

#include <caf/behavior.hpp>
#include <caf/logger.hpp>
#include <spdlog/logger.h>

#include <troupe/net/drainable.hpp>
#include <troupe/net/protocol_wrapper.hpp>
#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "connection_counts.hpp"

namespace troupe {

std::string factory::log_prefix() const {
  return detail::class_name(typeid(*this));
}

std::string factory::log_name() const {
  return log_prefix();
}

caf::behavior factory::make_behavior() {
  return {[](caf::unit_t) {
  }};
}

void factory::begin_use() {
  if (awaits_successor())
    return do_start(); // only counts; the successor starts with it
  std::exception_ptr thrown;
  enter([&] {
    try {
      do_start();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  if (thrown)
    std::rethrow_exception(thrown);
  if (has_ended())
    failure{errc::actor_down, log_prefix() + " has ended"}.raise();
}

void factory::do_start() {
  static_cast<void>(counts()); // now, while it may fail
  if (ports_ == 0 && !awaits_successor()) {
    if (noisy)
      loop().scheduler().logger().debug("starting {}", log_prefix());
    detail::in_callback("start_factory", [this] { start_factory(); });
  }
  ++ports_;
}

void factory::do_stop() {
  if (ports_ == 0 || --ports_ > 0 || awaits_successor())
    return;
  if (noisy)
    loop().scheduler().logger().debug("stopping {}", log_prefix());
  // Entered, as it may quit; if it has ended, it still hears that its last port has stopped.
  bool told = false;
  std::exception_ptr thrown;
  enter([&] {
    told = true;
    try {
      stop_factory();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  if (!told)
    stop_factory();
  if (thrown)
    std::rethrow_exception(thrown);
}

// Whatever is thrown in here, for want of memory too, costs the one connection and not the factory.
protocol_ptr factory::build(const net_address& peer, event_loop& where) {
  auto* const before = std::exchange(where_, &where);
  protocol_ptr built;
  try {
    built = build_protocol(peer);
    if (built && built->factory_) { // another factory built it; a wrapper remembers this one
      auto* w = built->wrapper() != nullptr ? built->wrapper()->outermost() : nullptr;
      if (w == nullptr || w->factory_) {
        built->wrap(std::make_unique<protocol_wrapper>());
        w = built->wrapper()->outermost();
      }
      w->factory_ = caf::strong_actor_ptr{ctrl()};
      ++connections_;
    } else if (built) {
      built->factory_ = caf::strong_actor_ptr{ctrl()};
      ++connections_;
    }
  } catch (...) {
    built = nullptr;
    detail::note_place("build_protocol");
    log_current_exception();
  }
  where_ = before;
  (built ? counts().accepted : counts().refused).add();
  CAF_SET_LOGGER_SYS(nullptr); // left behind by CAF's spawn, it would slow every actor down
  return built;
}

event_loop& factory::connection_loop() const {
  if (where_ == nullptr)
    throw std::logic_error(
      "make_protocol() and connection_loop() are for build_protocol, and there is no other place "
      "in which a connection is known");
  return *where_;
}

detail::connection_counts& factory::counts() {
  if (!counts_)
    counts_ = detail::connection_counts::of(loop(), log_prefix());
  return *counts_;
}

void factory::child_ended(caf::strong_actor_ptr self, const detail::ended_connection& how) {
  auto& f = *static_cast<factory*>(caf::actor_cast<caf::abstract_actor*>(self));
  if (f.loop().is_current())
    return f.one_less(how);
  f.loop().post([self = std::move(self), &f, how] { f.one_less(how); });
}

void factory::one_less(const detail::ended_connection& how) {
  if (const auto latest = caf::actor_cast<caf::strong_actor_ptr>(family_->latest);
      latest && latest.get() != ctrl())
    return static_cast<factory*>(caf::actor_cast<caf::abstract_actor*>(latest))->one_less(how);
  counts().ended(how);
  --connections_;
  if (!waiting_.empty() && has_room())
    for (auto& fn : std::exchange(waiting_, {}))
      fn();
  if (connections_ > 0)
    return;
  for (auto& drained : std::exchange(draining_, {}))
    drained.callback();
  end_if_stopping();
}

void factory::end_if_stopping() {
  if (stopping_ && idle())
    enter([this] { quit(caf::exit_reason::user_shutdown); });
}

void factory::set_max_connections(std::size_t count) {
  loop().expect_here("set_max_connections", "send the factory a message, or use run_as");
  max_connections_ = count;
  if (has_room())
    for (auto& fn : std::exchange(waiting_, {}))
      fn();
}

bool factory::serves(const protocol& p) const {
  const auto is_mine = [this](const caf::strong_actor_ptr& other) {
    return other
           && static_cast<factory*>(caf::actor_cast<caf::abstract_actor*>(other))->family_
                == family_;
  };
  if (is_mine(p.factory_))
    return true;
  for (auto* w = p.wrapper(); w != nullptr; w = w->next())
    if (is_mine(w->factory_))
      return true;
  return false;
}

chained<void> factory::drain() {
  loop().expect_here("drain", "send the factory a message, or use run_as");
  if (connections_ == 0)
    return chained<void>(succeed());
  auto& sched = loop().scheduler();
  for (std::size_t i = 0; i < sched.size(); ++i)
    sched.loop(i).post([&where = sched.loop(i), self = caf::strong_actor_ptr{ctrl()}] {
      where.each_pinned([&self](pinned_actor& a) {
        auto* const p = dynamic_cast<protocol*>(&a);
        const auto& f = *static_cast<factory*>(caf::actor_cast<caf::abstract_actor*>(self));
        if (p == nullptr || !f.serves(*p))
          return;
        if (auto* const d = dynamic_cast<drainable*>(p); d != nullptr && p->connected())
          p->enter("drain_requested", [d] { d->drain_requested(); });
        else if (p->connected())
          p->transport().lose_connection();
        else // in the middle of a handshake
          p->enter([p] { p->quit(make_error(errc::cancelled)); });
      });
    });
  draining_.emplace_back();
  return chained<void>(draining_.back().get_deferred());
}

void factory::on_exit() {
  std::vector<task> dropped;
  if (!supervised_) // else its successor takes them over
    dropped = std::exchange(waiting_, {});
  super::on_exit();
}

// It stays as long as its protocols, to count them.
void factory::stop_requested() {
  stopping_ = true;
  end_if_stopping();
}

// -- under a supervisor -------------------------------------------------------------------------

// Told to end, it ends when its connections have.
void factory::be_supervised() {
  if (std::exchange(supervised_, true))
    return;
  set_exit_handler([this](caf::exit_msg& message) {
    if (message.reason == caf::exit_reason::user_shutdown) {
      drain();
      stop_requested();
    } else if (message.reason && message.reason != caf::exit_reason::normal) {
      quit(message.reason);
    }
  });
}

void factory::take_over(factory& old) {
  counts().restarts.add();
  ports_ = old.ports_;
  connections_ = old.connections_;
  max_connections_ = old.max_connections_;
  noisy = old.noisy;
  family_ = old.family_;
  waiting_ = std::move(old.waiting_);
  draining_ = std::move(old.draining_);
  family_->latest = caf::weak_actor_ptr{ctrl()};
  if (ports_ > 0)
    start_factory();
  if (has_room())
    for (auto& fn : std::exchange(waiting_, {}))
      fn();
}

void factory_ref::refuse() {
  throw std::logic_error("factory_ref::get(): the factory is not started yet; the first port or "
                         "connector that uses it starts it, so call listen_tcp first");
}

caf::actor factory_ref::start_supervised(caf::actor_system& sys, event_loop& loop) const {
  const auto old = state_->actor;
  auto* const before = started();
  if (before == nullptr || before->has_ended()) {
    state_->actor = state_->start(sys, loop);
    std::exception_ptr thrown;
    get()->enter([&] {
      try {
        if (before != nullptr)
          get()->take_over(*before);
      } catch (...) {
        thrown = std::current_exception();
        get()->quit(failure::current().to_caf_error());
      }
    });
    if (thrown) {
      get()->be_supervised(); // so ports wait for the next one
      std::rethrow_exception(thrown);
    }
  }
  get()->be_supervised();
  return get()->has_ended() ? caf::actor{} : actor();
}

} // namespace troupe
