// How many messages may wait for an actor, and who waits until fewer do.
#include "bounds.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <troupe/runtime/detail/mailbox_gauge.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "log.hpp"

namespace troupe {

namespace detail {

namespace {

// The bounds of those actors that have one. A pointer in each actor would be paid for by all, of which most have
// none. One for all runtimes: actors that have ended may outlive theirs, and be sent to.
class bound_table {
public:
  void add(const caf::abstract_actor& actor, std::shared_ptr<bound> b) {
    auto& part = shard_of(actor);
    const std::lock_guard hold{part.mutex};
    part.bounds[&actor] = std::move(b);
  }

  std::shared_ptr<bound> share(const caf::abstract_actor& actor) {
    auto& part = shard_of(actor);
    const std::lock_guard hold{part.mutex};
    return part.bounds.find(&actor)->second;
  }

  bound* find(const caf::abstract_actor& actor) {
    auto& part = shard_of(actor);
    const std::lock_guard hold{part.mutex};
    return part.bounds.find(&actor)->second.get();
  }

  void remove(const caf::abstract_actor& actor) noexcept {
    auto& part = shard_of(actor);
    const std::lock_guard hold{part.mutex};
    part.bounds.erase(&actor);
  }

private:
  struct alignas(64) shard {
    std::mutex mutex;
    std::unordered_map<const caf::abstract_actor*, std::shared_ptr<bound>> bounds;
  };
  shard& shard_of(const caf::abstract_actor& actor) {
    return shards_[(reinterpret_cast<std::uintptr_t>(&actor) >> 6) % shards_.size()];
  }
  std::array<shard, 16> shards_;
};

bound_table& bounds() {
  static auto* const table = new bound_table; // actors may end after static objects
  return *table;
}

// Which actors wait for room in which mailboxes. An actor goes on when there is room in all of them. It has no
// circles: none that would close one is let in, which one lock for all makes certain, between loops too.
class feeding {
public:
  /// Returns whether `sender` waits for room in `b` from now on, and did not before.
  bool add(bound& b, basic_actor& sender) {
    constexpr int unfit = caf::abstract_actor::is_shutting_down_flag
                          | caf::abstract_actor::is_cleaned_up_flag
                          | caf::abstract_actor::is_detached_flag;
    if (sender.getf(unfit))
      return false;
    {
      const std::lock_guard hold{mutex_};
      if (b.over || b.owner == &sender || reaches(*b.owner, sender))
        return false;
      auto& its = waits_[&sender];
      if (std::find(its.begin(), its.end(), &b) != its.end())
        return false;
      its.push_back(&b);
      b.held.emplace_back(sender.ctrl());
      b.holds.store(true, std::memory_order_relaxed);
    }
    if (!sender.held_back())
      sender.begin_hold();
    return true;
  }

  bool contains(const caf::abstract_actor& actor) {
    const std::lock_guard hold{mutex_};
    return waits_.contains(&actor);
  }

  /// Lets all go that wait for `b`; those that wait for others, too, go on waiting for them.
  void let_go(bound& b, bool over = false) {
    std::vector<caf::strong_actor_ptr> held; // released behind the lock: an actor may end with it
    std::vector<caf::strong_actor_ptr> free;
    {
      const std::lock_guard hold{mutex_};
      b.over = b.over || over;
      b.holds.store(false, std::memory_order_relaxed);
      held = std::exchange(b.held, {});
      for (const auto& one : held)
        if (remove(*one->get(), b))
          free.push_back(one);
    }
    auto* const here = event_loop::current();
    for (const auto& one : free) {
      auto& actor = static_cast<basic_actor&>(*one->get());
      const bool ours = here != nullptr && &here->scheduler().system() == &actor.home_system();
      basic_actor::run_urgently(
        one, [&actor] { actor.end_hold(); }, ours ? here : nullptr);
    }
  }

  /// `actor` waits for nobody any more.
  void forget(const caf::abstract_actor& actor) {
    std::vector<caf::strong_actor_ptr> held;
    const std::lock_guard hold{mutex_};
    const auto found = waits_.find(&actor);
    if (found == waits_.end())
      return;
    for (auto* const b : found->second)
      std::erase_if(b->held, [&](caf::strong_actor_ptr& one) {
        if (one->get() != &actor)
          return false;
        held.push_back(std::move(one)); // not the last: it is ending, in somebody's hands
        return true;
      });
    waits_.erase(found);
  }

private:
  bool reaches(const caf::abstract_actor& from, const caf::abstract_actor& to) const {
    std::vector<const caf::abstract_actor*> seen{&from};
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const auto found = waits_.find(seen[i]);
      if (found == waits_.end())
        continue;
      for (const auto* const b : found->second) {
        if (b->owner == &to)
          return true;
        if (std::find(seen.begin(), seen.end(), b->owner) == seen.end())
          seen.push_back(b->owner);
      }
    }
    return false;
  }

  // Returns whether the actor waits for nobody any more, and did.
  bool remove(const caf::abstract_actor& actor, bound& b) {
    const auto found = waits_.find(&actor);
    if (found == waits_.end())
      return false;
    std::erase(found->second, &b);
    if (!found->second.empty())
      return false;
    waits_.erase(found);
    return true;
  }

  std::mutex mutex_;
  std::unordered_map<const caf::abstract_actor*, std::vector<bound*>> waits_;
};

feeding& all_that_feed() {
  static auto* const all = new feeding; // as above
  return *all;
}

// Returns the actor that runs here, if it can be stopped for one of `system`.
basic_actor* who_feeds(const caf::actor_system& system) {
  const auto* const loop = event_loop::current();
  if (loop == nullptr || &loop->scheduler().system() != &system)
    return nullptr;
  return dynamic_cast<basic_actor*>(loop->acting());
}

bool has_room(bound& b, const caf::scheduled_actor& actor) {
  const auto twice = b.most > SIZE_MAX / 2 ? b.most : b.most * 2;
  const auto waiting = b.waiting.fetch_add(1, std::memory_order_relaxed);
  switch (b.then) {
  case full_mailbox::refuse:
    return waiting < b.most;
  case full_mailbox::drop_oldest: // who does not come to its mailbox cannot make room in it
    return waiting < twice;
  case full_mailbox::push_back:
    break;
  }
  if (waiting < b.most)
    return true;
  auto* const sender = who_feeds(actor.home_system());
  if (sender == nullptr)
    return false;
  if (waiting >= twice && b.slept.load(std::memory_order_relaxed))
    return false; // it would be let go at once, and come again
  const bool stops_now = all_that_feed().add(b, *sender);
  return stops_now || waiting < twice;
}

} // namespace

bound* bound_of(const caf::scheduled_actor& actor) {
  return actor.getf(is_bounded_flag) ? bounds().find(actor) : nullptr;
}

void forget_bound(const caf::scheduled_actor& actor) noexcept {
  bounds().remove(actor);
}

bool counts(const caf::mailbox_element& x) {
  return x.mid.is_normal_message() && !x.mid.is_response() && !is_of_the_system(x.content())
         && !is_internal(x.content());
}

void refuse_message(const caf::scheduled_actor& actor, const caf::mailbox_element& x,
                    dead_letter_reason why) {
  note_dead_letter(actor, x, why);
  if (x.mid.is_request() && x.sender)
    x.sender->enqueue(nullptr, x.mid.response_id(),
                      caf::make_message(make_error(errc::queue_overflow, "the mailbox is full")),
                      nullptr);
}

bool admits(const caf::scheduled_actor& actor, const caf::mailbox_element& x) {
  if (!counts(x))
    return true;
  auto& b = *bounds().find(actor);
  if (has_room(b, actor))
    return true;
  b.waiting.fetch_sub(1, std::memory_order_relaxed);
  refuse_message(actor, x, dead_letter_reason::mailbox_full);
  return false;
}

void let_go(bound& b) {
  all_that_feed().let_go(b);
}

bool waits_for_room(const caf::abstract_actor& actor) {
  return all_that_feed().contains(actor);
}

void ends_feeding(const caf::scheduled_actor& actor) {
  if (actor.getf(is_held_flag))
    all_that_feed().forget(actor);
  if (auto* const b = bound_of(actor))
    all_that_feed().let_go(*b, true);
}

std::shared_ptr<const std::atomic<std::size_t>> mailbox_gauge(const caf::abstract_actor& actor) {
  if (!actor.getf(is_bounded_flag))
    return nullptr;
  const auto b = bounds().share(actor);
  return {b, &b->waiting};
}

} // namespace detail

void bound_mailbox(basic_actor& self, std::size_t most, full_mailbox then) {
  if (most == 0)
    throw std::invalid_argument("bound_mailbox: the bound is zero");
  if (self.getf(caf::abstract_actor::is_initialized_flag | detail::is_bounded_flag))
    throw std::logic_error("bound_mailbox: it is for the actor's constructor, once");
  if (self.getf(caf::abstract_actor::is_detached_flag))
    throw std::logic_error("bound_mailbox: no loop runs this actor, so none can keep its bound");
  detail::bounds().add(self, std::make_shared<detail::bound>(self, most, then));
  self.setf(detail::is_bounded_flag);
}

} // namespace troupe
