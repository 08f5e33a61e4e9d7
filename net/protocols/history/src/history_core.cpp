#include "history_core.hpp"

#include <algorithm>
#include <stdexcept>

#include <spdlog/logger.h>

#include <troupe/runtime/repeats.hpp>

namespace troupe::detail {

namespace {

constexpr std::size_t most_held = 10'000;

} // namespace

std::string history_core::shown(std::string_view name) {
  std::string text{name.substr(0, 64)};
  for (auto& c : text)
    if (static_cast<unsigned char>(c - ' ') >= 0x7f - ' ') // no printable ASCII
      c = '?';
  return '"' + text + '"';
}

history_core::history_core(runtime& rt, history_ref store, kept_topics_options options)
  : rt_(rt), store_(std::move(store)), options_(options), alive_(rt.scheduler().alive()) {
  const auto need = [](bool well, const char* what) {
    if (!well)
      throw std::invalid_argument(std::string{"kept_topics_options: "} + what);
  };
  need(store_ != nullptr, "there is no store; give it one, such as memory_history");
  need(options_.max_name > 0, "max_name is 0; no topic could have a name");
  need(options_.max_replay > 0 && options_.max_replay_bytes > 0,
       "max_replay or max_replay_bytes is 0; nothing could be read");
  need(options_.max_in_flight > 0 && options_.max_in_flight_bytes > 0,
       "max_in_flight or max_in_flight_bytes is 0; nothing could be appended");
  need(options_.patience > duration::zero() && options_.append_timeout > duration::zero()
         && options_.linger > duration::zero(),
       "patience, append_timeout and linger are longer than 0");
  for (std::size_t i = 0; i < rt_.loops(); ++i)
    audiences_.push_back(std::make_shared<history_audience>(*this, tallies_, options_, i));
}

history_core::~history_core() = default;

void history_core::start() {
  link_ = store_->attach(rt_, *this);
  const auto weak = weak_from_this();
  before_end_ =
    rt_.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [weak] {
      const auto self = weak.lock();
      return self ? self->close() : succeed();
    });
  at_end_ =
    rt_.reactor().add_system_event_trigger(trigger_phase::after, system_event::shutdown, [weak] {
      if (const auto self = weak.lock()) {
        self->at_end_.reset();
        self->end();
      }
    });
}

void history_core::end() {
  if (alive_->load()) {
    for (auto* const trigger : {&before_end_, &at_end_})
      if (const auto id = std::exchange(*trigger, std::nullopt)) {
        try {
          rt_.reactor().remove_system_event_trigger(*id);
        } catch (const std::invalid_argument&) { // it has run
        }
      }
    take_back(sweeping_);
    for (const auto& [name, r] : rooms_)
      take_back(r->again);
  }
  ready_ = false;
  over_ = true; // handles, and what was posted, may be there for longer
  closing_ = true;
  link_.reset();
  to_catch_up_.clear();
  const auto rooms = std::exchange(rooms_, {}); // who waits is told
}

void history_core::take_back(delayed_call& call) {
  if (auto one = std::exchange(call, {}); one.active())
    one.cancel();
}

deferred<void> history_core::close() {
  before_end_.reset();
  closing_ = true;
  take_back(sweeping_);
  return link_ ? link_->close() : succeed();
}

// -- appending ------------------------------------------------------------------------------------

void history_core::append(const std::string& name, const shared_bytes& bytes, const std::string& id,
                          answer_to<history_position> done) {
  const auto refuse = [&](failure why) {
    tallies_.failed.add();
    done(std::move(why));
  };
  tallies_.appends.add();
  if (bytes.size() > options_.max_message)
    return refuse({errc::message_too_long, "a message of " + std::to_string(bytes.size())
                                             + " bytes is not kept; "
                                             + std::to_string(options_.max_message)
                                             + " are allowed (kept_topics_options::max_message)"});
  if (id.size() > 128)
    return refuse({errc::invalid_argument, "the id of a message has at most 128 bytes"});
  if (link_ == nullptr || closing_)
    return refuse(errc::runtime_stopped);
  if (!ready())
    return refuse(why_not_);
  if (in_flight_ >= options_.max_in_flight
      || in_flight_bytes_ + bytes.size() > options_.max_in_flight_bytes)
    return refuse({errc::queue_overflow, "the store \"" + store_->name() + "\" has not kept "
                                           + std::to_string(in_flight_) + " messages yet"});
  ++in_flight_;
  in_flight_bytes_ += bytes.size();
  auto kept = with_timeout(link_->append(name, bytes, id), options_.append_timeout, rt_.reactor());
  std::move(kept).add_both([weak = weak_from_this(), size = bytes.size(), name,
                            done = std::move(done)](outcome<history_position> got) mutable {
    const auto self = weak.lock();
    if (!self)
      return done(failure{errc::runtime_stopped});
    --self->in_flight_;
    self->in_flight_bytes_ -= size;
    if (got) {
      self->tallies_.appended.add();
      if (const auto found = self->rooms_.find(name);
          found != self->rooms_.end() && got->epoch == self->epoch_)
        found->second->kept = std::max(found->second->kept, got->sequence);
      return done(std::move(got));
    }
    self->tallies_.failed.add();
    self->rt_.repeats().note("append " + self->store_->name(), log_level::error, [&] {
      return "history: a message of " + shown(name) + " was not kept: " + got.error().message();
    });
    if (got.error().check(errc::timed_out))
      got = failure{errc::timed_out, "the store has not said whether it has the message; send it "
                                     "again with the same id"};
    done(std::move(got));
  });
}

// -- what the store tells -------------------------------------------------------------------------

void history_core::history_ready(std::uint64_t epoch) {
  const auto before = epoch_.exchange(epoch);
  if (!ready_.exchange(true))
    rt_.logger().info("history: the store {} is there", store_->name());
  if (!sweeping_.active() && !closing_)
    sweeping_ = rt_.reactor().call_later(options_.linger / 2, [this] { sweep(); });
  const auto rooms = rooms_;
  if (before != 0 && before != epoch) {
    rt_.logger().warn("history: the store {} is another one than before", store_->name());
    for (const auto& [name, r] : rooms) {
      r->ring.clear();
      r->held.clear();
      r->unsent.clear();
      r->kept = 0;
      std::fill(r->active.begin(), r->active.end(), false);
      std::erase_if(r->waits, [](const waiting& w) { return w.loop.has_value(); }); // they ask anew
      for (auto& w : r->waits)
        w.needs = 0;
    }
    for (std::size_t i = 0; i < audiences_.size(); ++i)
      tell(i, [epoch](history_audience& a) { a.restart(epoch); });
  }
  for (const auto& [name, r] : rooms) {
    r->stale = r->ring.known() || std::ranges::find(r->active, true) != r->active.end();
    r->failures = r->retries = 0;
    take_back(r->again);
    if (r->asking) { // whoever was asked may never answer, or not know what was missed
      end_read(r);
      r->ring.narrow();
    }
    serve(r);
  }
}

void history_core::history_lost(const failure& why) {
  why_not_ = why;
  const bool was_there = ready_.exchange(false);
  if (rt_.stop_requested()) {
    // it is left, not lost
  } else if (was_there) {
    rt_.logger().error("history: the store {} is away: {}", store_->name(), why.message());
  } else { // whoever set it up must be told, and not only those who append
    rt_.repeats().note("no store " + store_->name() + ' ' + why.message(), log_level::warn, [&] {
      return "history: the store " + store_->name() + " is not there: " + why.message();
    });
  }
  for (const auto& [name, r] : rooms_)
    for (auto& w : r->waits)
      if (w.done)
        w.done(why);
  for (const auto& [name, r] : rooms_)
    std::erase_if(r->waits, [](const waiting& w) { return !w.loop; });
}

void history_core::history_kept(std::string_view topic, kept_ref message) {
  if (rooms_.empty())
    return;
  if (const auto found = rooms_.find(std::string{topic}); found != rooms_.end())
    feed(found->second, std::move(message));
}

void history_core::history_kept_so_far() {
  for (const auto& r : std::exchange(unsent_, {}))
    pass_on(r);
}

// A message that follows what is known is passed on; one that does not waits until the store has told what is missing.
void history_core::feed(const room_ref& r, kept_ref message) {
  auto& ring = r->ring;
  if (ring.known() && message->at.sequence <= ring.last())
    return;
  const bool follows = ring.known() ? message->previous <= ring.last() : !r->stale;
  if (!r->held.empty() || !follows) {
    if (r->held.empty() && r->failures == 0)
      tallies_.gaps.add();
    if (r->held.size() < most_held) // the store has the others
      r->held.push_back(std::move(message));
    return serve(r);
  }
  if (r->unsent.empty())
    unsent_.push_back(r);
  r->unsent.push_back(message);
  ring.push(std::move(message));
}

void history_core::feed_held(const room_ref& r) {
  auto held = std::exchange(r->held, {});
  std::ranges::sort(held, {}, [](const kept_ref& m) { return m->at.sequence; });
  for (auto& message : held)
    feed(r, std::move(message));
}

void history_core::pass_on(const room_ref& r) {
  if (r->unsent.empty())
    return;
  const auto messages = std::make_shared<const std::vector<kept_ref>>(std::exchange(r->unsent, {}));
  for (std::size_t i = 0; i < r->active.size(); ++i)
    if (r->active[i])
      tell(i, [r, messages](history_audience& a) { a.take(r->name, *messages); });
}

void history_core::tell(std::size_t loop, unique_function<void(history_audience&), 64> what) {
  rt_.scheduler().loop(loop).post(
    [self = shared_from_this(), loop, what = std::move(what)]() mutable {
      what(*self->audiences_[loop]);
    });
}

// -- topics that nobody uses ----------------------------------------------------------------------

void history_core::dropped(std::size_t loop, const std::string& name) {
  on_loop_0([loop, name](history_core& core) {
    if (const auto found = core.rooms_.find(name); found != core.rooms_.end())
      found->second->active[loop] = false;
  });
}

void history_core::sweep() {
  sweeping_ = rt_.reactor().call_later(options_.linger / 2, [this] { sweep(); });
  const auto before = rt_.reactor().now() - options_.linger;
  for (std::size_t i = 0; i < audiences_.size(); ++i)
    tell(i, [before](history_audience& a) { a.drop_idle(before); });
  for (auto i = rooms_.begin(); i != rooms_.end();) {
    auto& r = *i->second;
    const bool in_use = r.asking || r.queued || !r.waits.empty() || !r.held.empty()
                        || r.used > before || std::ranges::find(r.active, true) != r.active.end();
    if (in_use) {
      ++i;
      continue;
    }
    link_->follow(r.name, false);
    i = rooms_.erase(i);
  }
}

} // namespace troupe::detail
