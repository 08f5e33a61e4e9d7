#include "router_actor.hpp"

#include <algorithm>
#include <stdexcept>

#include <caf/default_attachable.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/system_messages.hpp>

#include <troupe/runtime/detail/mailbox_gauge.hpp>
#include <troupe/runtime/detail/note_dead_letter.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

namespace {

bool has_ended(const caf::abstract_actor& who) {
  return who.getf(caf::abstract_actor::is_terminated_flag
                  | caf::abstract_actor::is_cleaned_up_flag);
}

caf::default_attachable::observe_token watch_of(const caf::abstract_actor& observer) {
  return {observer.address(), caf::default_attachable::monitor};
}

} // namespace

caf::strong_actor_ptr router_actor::ended_members::living(const caf::weak_actor_ptr& weak) {
  auto who = weak.lock();
  if (who && has_ended(*who->get())) {
    let_go.push_back(std::move(who));
    return nullptr;
  }
  return who;
}

router_actor::router_actor(caf::actor_config& cfg, loop_scheduler& scheduler,
                           router_options options)
  : monitorable_actor(cfg), scheduler_(scheduler), options_(std::move(options)),
    turns_(scheduler.size() + 1) {
  for (std::size_t i = 0; i < turns_.size(); ++i)
    turns_[i].next = i; // loops do not begin with the same member
}

// -- members ------------------------------------------------------------------------------------

bool router_actor::join(const caf::strong_actor_ptr& who, std::string_view name) {
  if (!who)
    throw std::logic_error("router: no actor was to join");
  auto gauge = mailbox_gauge(*who->get());
  if (options_.by == routing::smallest_mailbox && !gauge)
    throw std::logic_error("router: by smallest_mailbox, a member needs a bound: bound_mailbox");
  if (has_ended(*who->get()))
    return false;
  {
    const std::lock_guard hold{mutex_};
    if (closed_)
      return false;
    for (const auto& m : members_)
      if (m.who == who)
        return true;
    members_.push_back({who,
                        name.empty() ? routing_hash(who->id()) : routing_hash(name),
                        {caf::weak_actor_ptr{who.get()},
                         std::make_shared<std::atomic<std::size_t>>(0), std::move(gauge)}});
    table_ = nullptr;
    version_.fetch_add(1, std::memory_order_release);
  }
  // Without the mutex: one that has ended meanwhile says so inside attach().
  who->get()->attach(caf::default_attachable::make_monitor(who->get()->address(), address()));
  return !has_ended(*who->get());
}

bool router_actor::leave(const caf::abstract_actor& who) {
  caf::strong_actor_ptr left; // let go without the mutex: it may be the last that keeps it
  {
    const std::lock_guard hold{mutex_};
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const member& m) { return m.who->get() == &who; });
    if (found == members_.end())
      return false;
    left = std::move(found->who);
    members_.erase(found);
    table_ = nullptr;
    version_.fetch_add(1, std::memory_order_release);
  }
  left->get()->detach(watch_of(*this));
  return true;
}

void router_actor::close() {
  std::vector<member> left;
  {
    const std::lock_guard hold{mutex_};
    closed_ = true;
    left.swap(members_);
    table_ = nullptr;
    version_.fetch_add(1, std::memory_order_release);
  }
  for (const auto& m : left)
    m.who->get()->detach(watch_of(*this));
}

std::vector<caf::actor> router_actor::members() const {
  std::vector<caf::actor> all;
  const std::lock_guard hold{mutex_};
  for (const auto& m : members_)
    all.push_back(caf::actor_cast<caf::actor>(m.who));
  return all;
}

std::size_t router_actor::size() const {
  const std::lock_guard hold{mutex_};
  return members_.size();
}

// -- which one ----------------------------------------------------------------------------------

std::shared_ptr<const router_actor::table> router_actor::current_table() {
  if (table_)
    return table_;
  auto made = std::make_shared<table>();
  for (const auto& m : members_) {
    if (options_.by == routing::consistent_hash)
      for (std::uint64_t i = 0; i < options_.points; ++i)
        made->ring.emplace_back(routing_hash(m.place + i * 0x9e3779b97f4a7c15),
                                static_cast<std::uint32_t>(made->routes.size()));
    made->routes.push_back(m.seen);
  }
  std::sort(made->ring.begin(), made->ring.end());
  return table_ = std::move(made);
}

const router_actor::table& router_actor::up_to_date(turn& at) {
  if (at.version != version_.load(std::memory_order_acquire)) {
    const std::lock_guard hold{mutex_};
    at.routes = current_table();
    at.version = version_.load(std::memory_order_relaxed);
  }
  return *at.routes;
}

template <class F>
auto router_actor::in_turn(F&& fn) {
  auto* const here = event_loop::current();
  if (here != nullptr && &here->scheduler() == &scheduler_)
    return fn(turns_[here->index()]);
  const std::lock_guard hold{outside_};
  return fn(turns_.back());
}

failure router_actor::nobody() const {
  return {errc::actor_down, "the router has no members"};
}

caf::strong_actor_ptr router_actor::on_ring(const table& routes, std::uint64_t hash,
                                            ended_members& ended) const {
  const auto& ring = routes.ring;
  const auto at =
    std::upper_bound(ring.begin(), ring.end(), std::pair{hash, std::uint32_t{0xffff'ffff}});
  const auto first = static_cast<std::size_t>(at - ring.begin());
  for (std::size_t i = 0; i < ring.size(); ++i)
    if (auto who = ended.living(routes.routes[ring[(first + i) % ring.size()].second].who))
      return who;
  return nullptr;
}

std::size_t router_actor::load_of(const route& r) const noexcept {
  switch (options_.by) {
  case routing::smallest_mailbox:
    return r.waiting->load(std::memory_order_relaxed);
  case routing::least_outstanding:
    return r.outstanding->load(std::memory_order_relaxed);
  default:
    return 0;
  }
}

caf::strong_actor_ptr router_actor::pick(turn& at, const caf::type_erased_tuple& message,
                                         failure& why, ended_members& ended,
                                         std::shared_ptr<std::atomic<std::size_t>>* outstanding) {
  const auto& known = up_to_date(at);
  if (options_.by == routing::consistent_hash) {
    const auto key = options_.key(message);
    if (!key) {
      why = {errc::invalid_argument, "the router finds no key in this message"};
      return nullptr;
    }
    if (auto who = on_ring(known, *key, ended))
      return who;
    why = nobody();
    return nullptr;
  }
  const auto& routes = known.routes;
  const auto count = routes.size();
  if (at.next >= count)
    at.next = count > 0 ? at.next % count : 0;
  std::vector<bool> passed_over; // those that have ended, and have not left yet
  for (std::size_t tried = 0; tried < count; ++tried) {
    auto best = count;
    std::size_t least = 0;
    for (std::size_t i = 0; i < count && (best == count || least > 0); ++i) {
      const auto index = at.next + i < count ? at.next + i : at.next + i - count;
      if (!passed_over.empty() && passed_over[index])
        continue;
      const auto load = load_of(routes[index]);
      if (best == count || load < least) {
        best = index;
        least = load;
      }
    }
    if (auto who = ended.living(routes[best].who)) {
      at.next = best + 1;
      if (outstanding != nullptr && options_.by == routing::least_outstanding)
        *outstanding = routes[best].outstanding;
      return who;
    }
    passed_over.resize(count);
    passed_over[best] = true;
  }
  why = nobody();
  return nullptr;
}

outcome<chosen_member> router_actor::choose(const caf::type_erased_tuple& message) {
  if (options_.by == routing::broadcast)
    return failure{errc::invalid_argument, "the router would ask all: use ask_all"};
  failure why;
  ended_members ended;
  chosen_member chosen;
  std::shared_ptr<std::atomic<std::size_t>> outstanding;
  chosen.who = in_turn([&](turn& at) { return pick(at, message, why, ended, &outstanding); });
  if (!chosen.who)
    return why;
  if (outstanding) {
    outstanding->fetch_add(1, std::memory_order_relaxed);
    auto* const count = outstanding.get();
    chosen.outstanding = std::shared_ptr<void>{count, [keep = std::move(outstanding)](void*) {
                                                 keep->fetch_sub(1, std::memory_order_relaxed);
                                               }};
  }
  return chosen;
}

caf::actor router_actor::member_for(std::uint64_t hash) {
  ended_members ended;
  return in_turn(
    [&](turn& at) { return caf::actor_cast<caf::actor>(on_ring(up_to_date(at), hash, ended)); });
}

// -- CAF's side ---------------------------------------------------------------------------------

void router_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* eu) {
  auto& content = what->content();
  if (content.match_elements<caf::down_msg>()) {
    if (const auto who =
          caf::actor_cast<caf::strong_actor_ptr>(content.get_as<caf::down_msg>(0).source))
      leave(*who->get());
    return;
  }
  if (content.match_elements<caf::exit_msg>()) {
    // CAF may have both actors' locks here, which an end takes. One that has ended may have outlived its loops.
    if (auto reason = content.get_as<caf::exit_msg>(0).reason; reason && !getf(is_cleaned_up_flag))
      scheduler_.loop(0).post([self = caf::strong_actor_ptr{ctrl()}, reason]() mutable {
        static_cast<router_actor*>(self->get())->cleanup(std::move(reason), event_loop::current());
      });
    return;
  }
  if (getf(is_cleaned_up_flag)) {
    note_dead_letter(*this, *what, dead_letter_reason::actor_ended);
    return bounce(what);
  }
  if (handle_system_message(*what, eu, true) || what->mid.is_response())
    return;
  if (options_.by == routing::broadcast)
    return give_all(*what, eu);
  failure why;
  ended_members ended;
  const auto who = in_turn([&](turn& at) { return pick(at, content, why, ended, nullptr); });
  if (!who)
    return refuse(*what, why, eu);
  who->get()->enqueue(std::move(what), eu);
}

void router_actor::give_all(caf::mailbox_element& what, caf::execution_unit* eu) {
  if (what.mid.is_request())
    return refuse(what, {errc::invalid_argument, "the router would ask all: use ask_all"}, eu);
  const auto routes = in_turn([&](turn& at) {
    up_to_date(at);
    return at.routes;
  });
  const auto content = what.copy_content_to_message(); // one for all
  bool any = false;
  for (const auto& r : routes->routes)
    if (const auto who = r.who.lock(); who && !has_ended(*who->get())) {
      who->get()->enqueue(what.sender, what.mid, content, eu);
      any = true;
    }
  if (!any)
    refuse(what, nobody(), eu);
}

void router_actor::refuse(const caf::mailbox_element& what, const failure& why,
                          caf::execution_unit* eu) const {
  note_dead_letter(*this, what, dead_letter_reason::no_member);
  if (what.mid.is_request() && what.sender)
    what.sender->enqueue(nullptr, what.mid.response_id(), caf::make_message(why.to_caf_error()),
                         eu);
}

bool router_actor::cleanup(caf::error&& reason, caf::execution_unit* host) {
  close();
  return monitorable_actor::cleanup(std::move(reason), host);
}

void router_actor::on_destroy() {
  if (!getf(is_cleaned_up_flag))
    cleanup(caf::exit_reason::unreachable, nullptr);
  monitorable_actor::on_destroy();
}

} // namespace troupe::detail
