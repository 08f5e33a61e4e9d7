#include "topic_state.hpp"

#include <stdexcept>
#include <utility>

#include <caf/actor_cast.hpp>

#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/repeats.hpp>

#include "published_message.hpp"
#include "subscriber.hpp"

namespace troupe::detail {

namespace {

// Runs `fn` on `home`, behind all that the caller has on its way there already.
template <class F>
void run_in_order(event_loop& home, F fn) {
  if (home.is_current() && home.keeps_order())
    fn();
  else
    home.post(std::move(fn));
}

} // namespace

void intrusive_ptr_add_ref(const topic_state* state) noexcept {
  intrusive_ptr_add_ref(static_cast<const topic_subscribers*>(state));
}

void intrusive_ptr_release(const topic_state* state) noexcept {
  intrusive_ptr_release(static_cast<const topic_subscribers*>(state));
}

topic_state::topic_state(const topic_home& home) : topic_state(home, {}, nullptr) {}

topic_state::topic_state(const topic_home& home, std::string name,
                         caf::intrusive_ptr<topic_directory> directory)
  : topic_subscribers(home.loops), home_(home),
    longest_(directory ? directory->bounds().longest_publication : SIZE_MAX),
    name_(std::move(name)), directory_(std::move(directory)) {}

topic_state::~topic_state() {
  if (directory_)
    directory_->forget(*this);
}

// -- who subscribes -----------------------------------------------------------------------------

// A publisher that knows of the call must find the loop interested, so it is counted at once.
void topic_state::subscribe(const caf::strong_actor_ptr& who) {
  if (!alive())
    return; // so that one has ended
  auto& home = home_of(who);
  comes(home);
  run_in_order(home, [self = caf::intrusive_ptr{this}, who, &home] { self->add(who, home); });
}

void topic_state::unsubscribe(const caf::strong_actor_ptr& who) {
  if (!alive())
    return;
  auto& home = home_of(who);
  run_in_order(home, [self = caf::intrusive_ptr{this}, who, &home] {
    self->remove(find_subscriber(who, home), home);
  });
}

void topic_state::subscribe_here(pinned_actor& who, write_published write) {
  auto& home = who.loop();
  comes(home);
  add_entry(pinned_subscriber::make(who), {&who, write, nullptr, 0}, home);
}

void topic_state::unsubscribe_here(pinned_actor& who) noexcept {
  remove(pinned_subscriber::of(who), who.loop());
}

void topic_state::add(const caf::strong_actor_ptr& who, event_loop& home) {
  add_entry(make_subscriber(who, home), {as_pinned(who), nullptr, nullptr, 0}, home);
}

void topic_state::add_entry(subscriber* record, const subscriber_entry& entry, event_loop& home) {
  if (record == nullptr) // it has ended
    return left(home);
  const auto slot = slot_of(*record, home);
  if (slot != subscriber_list::none) {
    if (record->subscriptions[slot].reads == (entry.write == nullptr))
      return left(home);
    record->remove(slot, home);
  }
  record->add(*this, entry, home);
}

void topic_state::remove(subscriber* record, event_loop& home) noexcept {
  if (record == nullptr)
    return;
  if (const auto slot = slot_of(*record, home); slot != subscriber_list::none)
    record->remove(slot, home);
}

// Looks where there is less to look at: few rooms have many users who are in many rooms.
std::uint32_t topic_state::slot_of(const subscriber& record, event_loop& home) const noexcept {
  auto* const lists = here(home);
  if (lists == nullptr)
    return subscriber_list::none;
  if (record.subscriptions.size() <= lists->transports.size() + lists->readers.size())
    return record.find(*this);
  for (auto* list : {&lists->transports, &lists->readers})
    if (const auto index = list->find(record); index != subscriber_list::none)
      return list->at(index).slot;
  return subscriber_list::none;
}

// -- publishing ---------------------------------------------------------------------------------

void topic_state::publish(const shared_bytes& bytes, const caf::abstract_actor* left_out) {
  if (bytes.empty())
    return;
  publish_elsewhere(bytes.view());
  publish_here(bytes, left_out);
}

// What nobody here has subscribed to is not made.
void topic_state::publish(std::string_view text, const caf::abstract_actor* left_out) {
  if (text.empty())
    return;
  publish_elsewhere(as_bytes(text));
  for (std::size_t i = 0; i < home_.loops; ++i)
    if (any(i))
      return publish_here(shared_bytes{text}, left_out);
}

void topic_state::publish_elsewhere(bytes_view bytes) {
  if (bytes.size() > longest_)
    refuse_length(bytes.size());
  if (elsewhere() != nullptr)
    carry(bytes);
}

void topic_state::publish_here(const shared_bytes& bytes, const caf::abstract_actor* left_out) {
  caf::strong_actor_ptr kept; // so that its address stays its own until all have delivered
  caf::intrusive_ptr<topic_state> self;
  for (std::size_t i = 0; i < home_.loops; ++i) {
    if (!any(i))
      continue;
    if (!alive())
      return;
    auto& home = home_.scheduler.loop(i);
    const bool in_place = home.is_current() && home.keeps_order();
    if (in_place) {
      if (!self)
        self.reset(this); // a subscriber's producer may drop the last handle
      deliver_to_transports(home, bytes, left_out);
      if (!has_readers(home))
        continue;
    }
    if (left_out != nullptr && !kept)
      kept.reset(left_out->ctrl());
    // Handlers run from the loop only, never inside another actor's code.
    home.post([self = caf::intrusive_ptr{this}, bytes, kept, &home, in_place] {
      if (!in_place)
        self->deliver_to_transports(home, bytes, kept ? kept->get() : nullptr);
      published_message message;
      self->deliver_to_readers(home, bytes, message, kept ? kept->get() : nullptr);
    });
  }
}

// Whoever publishes holds the topic, so it is not counted once more.
void topic_state::carry(bytes_view bytes) {
  if (!alive())
    return;
  struct borrowed {
    topic what;
    ~borrowed() { (void)what.state_.detach(); }
  } const self{topic{caf::intrusive_ptr{this, false}}};
  directory_->carrier()->carry(self.what, bytes);
}

void topic_state::interest_changed() noexcept {
  if (directory_ && directory_->carrier() != nullptr && alive())
    directory_->carrier()->subscribers_changed(name_);
}

void topic_state::refuse_length(std::size_t size) const {
  throw std::length_error(
    "topic " + escape_text(name_, 64) + ": a publication of " + std::to_string(size)
    + " bytes is longer than those that travel to other nodes, " + std::to_string(longest_)
    + "; split it, or raise cluster_options::max_message on all nodes");
}

void topic_state::deliver_to_transports(event_loop& home, const shared_bytes& bytes,
                                        const caf::abstract_actor* left_out) {
  auto* const lists = here(home);
  if (lists == nullptr)
    return;
  const bool watched = watched_.load(std::memory_order_relaxed);
  const auto dropped_before = home.writes_dropped();
  std::vector<caf::actor> missed_by;
  lists->transports.walk([&](const subscriber_entry& entry) {
    if (entry.target == left_out)
      return;
    try {
      if (!entry.write(*entry.target, bytes, watched))
        missed_by.push_back(caf::actor_cast<caf::actor>(entry.target));
    } catch (...) { // from the subscriber's producer: that is the subscriber's failure
      entry.target->enter([error = std::current_exception()] { std::rethrow_exception(error); });
    }
  });
  if (const auto dropped = home.writes_dropped() - dropped_before; dropped != 0)
    note_drops(home, dropped, bytes.size());
  if (!missed_by.empty())
    tell_of_drops(bytes.size(), std::move(missed_by));
}

void topic_state::deliver_to_readers(event_loop& home, shared_bytes bytes,
                                     published_message& message,
                                     const caf::abstract_actor* left_out) {
  if (!has_readers(home))
    return;
  message.say(*this, std::move(bytes));
  give_to_readers(home, message, left_out);
}

void topic_state::deliver_to_readers(event_loop& home, bytes_view bytes,
                                     published_message& message) {
  if (!has_readers(home))
    return;
  message.say(*this, bytes);
  give_to_readers(home, message, nullptr);
}

void topic_state::give_to_readers(event_loop& home, published_message& message,
                                  const caf::abstract_actor* left_out) {
  here(home)->readers.walk([&](const subscriber_entry& entry) {
    if (entry.target != nullptr) {
      if (entry.target != left_out)
        message.give(*entry.target);
      return;
    }
    const auto& who = static_cast<floating_subscriber&>(*entry.who).actor;
    if (left_out == nullptr || who.get() != left_out->ctrl())
      message.give(who, home);
  });
}

// -- what does not fit --------------------------------------------------------------------------

void topic_state::observe_drops(const caf::actor& who) {
  const std::lock_guard lock{observer_mutex_};
  observer_ = caf::actor_cast<caf::weak_actor_ptr>(who);
  watched_.store(observer_ != nullptr, std::memory_order_relaxed);
}

// Which subscribers, only an observer is told: to ask each transport takes time.
void topic_state::note_drops(event_loop& home, std::uint64_t subscribers, std::size_t bytes) {
  home.count_dropped_publications(subscribers);
  if (!name_.empty()) {
    const std::lock_guard lock{observer_mutex_};
    if (!drops_)
      drops_ = home_.scheduler.metrics().add_counter(
        "troupe_topic_publications_dropped_total",
        "Publications of a topic that a subscriber did not get, by subscriber.",
        {{"topic", name_}});
    drops_->add(subscribers);
  }
  home_.scheduler.repeats().note("dropped publication " + name_, log_level::warn, [&] {
    return (name_.empty() ? "a topic" : "topic " + escape_text(name_, 64)) + ": a publication of "
           + std::to_string(bytes) + " bytes was dropped for " + std::to_string(subscribers)
           + (subscribers == 1 ? " subscriber, whose output is full"
                               : " subscribers, whose output is full");
  });
}

void topic_state::tell_of_drops(std::size_t bytes, std::vector<caf::actor> missed_by) {
  caf::strong_actor_ptr observer; // perhaps the last reference: its end may come back here
  {
    const std::lock_guard lock{observer_mutex_};
    observer = observer_.lock();
  }
  if (observer)
    observer->enqueue(nullptr, caf::make_message_id(),
                      caf::make_message(publication_dropped{topic{caf::intrusive_ptr{this}}, bytes,
                                                            std::move(missed_by)}),
                      event_loop::current());
}

} // namespace troupe::detail
